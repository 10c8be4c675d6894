"""Makes the database and one key, and prints it as the value of `Authorization`."""

import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apikey_site.settings")
django.setup()
call_command("migrate", verbosity=0)

from rest_framework_api_key.models import APIKey  # noqa: E402  Models exist only behind setup().

_, key = APIKey.objects.create_key(name="benchmark")
print(f"Api-Key {key}")
