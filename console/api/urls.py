"""The addresses of the API, under /api/v1/."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, path

from console.api import errors
from console.api.me import Me
from console.api.pauses import Blast, One, Pauses

urlpatterns: list[URLPattern | URLResolver] = [
    path("me", Me.as_view(), name="api-me"),
    path("pauses", Pauses.as_view(), name="api-pauses"),
    path("pauses/blast", Blast.as_view(), name="api-pause-blast"),
    path("pauses/<int:pk>", One.as_view(), name="api-pause"),
    path("", login_not_required(errors.not_here), name="api-root"),
    path("<path:rest>", login_not_required(errors.not_here), name="api-not-here"),
]
