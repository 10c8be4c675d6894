"""The smallest Django project with one view behind django-rest-knox."""
