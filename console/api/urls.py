"""The addresses of the API, under /api/v1/."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, path, re_path

from console.api import errors
from console.api.me import Me

urlpatterns: list[URLPattern | URLResolver] = [
    path("me", Me.as_view(), name="api-me"),
    re_path(r"^(?P<rest>.*)$", login_not_required(errors.not_here), name="api-not-here"),
]
