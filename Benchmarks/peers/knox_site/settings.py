"""Settings of this site; the rest is shared with the other."""

from common_settings import *  # noqa: F403
from common_settings import INSTALLED_APPS, REST_FRAMEWORK

ROOT_URLCONF = "knox_site.urls"
WSGI_APPLICATION = "knox_site.wsgi.application"
INSTALLED_APPS = [*INSTALLED_APPS, "knox"]
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
