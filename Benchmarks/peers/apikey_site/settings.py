"""Settings of this site; the rest is shared with the other."""

from common_settings import *  # noqa: F403
from common_settings import INSTALLED_APPS, REST_FRAMEWORK

ROOT_URLCONF = "apikey_site.urls"
WSGI_APPLICATION = "apikey_site.wsgi.application"
INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework_api_key"]
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework_api_key.permissions.HasAPIKey"],
}
