"""Makes the database and one user, and prints the user's token as the value of `Authorization`."""

import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "knox_site.settings")
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth.models import User  # noqa: E402  Models exist only behind setup().
from knox.models import AuthToken  # noqa: E402

_, token = AuthToken.objects.create(user=User.objects.create_user("ada", "ada@example.com"))
print(f"Token {token}")
