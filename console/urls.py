"""Every address of the console."""

from django.urls import URLPattern, URLResolver, include, path

from console import health
from console.views import me, search, styleguide

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("", include("console.urls_sign_in")),
    path("notices", me.strips, name="strips"),
    path("", include("console.urls_inbox")),
    path("", include("console.urls_deciding")),
    path("", include("console.urls_nouns")),
    path("", include("console.urls_agents")),
    path("api/v1/", include("console.api.urls")),
    path("search", search.search, name="search"),
    path("styleguide", styleguide.styleguide, name="styleguide"),
]
