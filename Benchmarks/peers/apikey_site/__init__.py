"""The smallest Django project with one view behind djangorestframework-api-key."""
