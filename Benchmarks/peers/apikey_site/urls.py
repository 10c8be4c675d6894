"""The one view. Who may see it is in the settings."""

from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response


@api_view(["GET"])
def things(request):
    return Response({"ok": True})


urlpatterns = [path("api/v1/things", things)]
