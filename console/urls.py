"""Every address of the console."""

from django.urls import URLPattern, URLResolver, include, path

from console import health
from console.views import me, search, sign_in, styleguide

urlpatterns: list[URLPattern | URLResolver] = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("sign-in", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign-out"),
    path("password", sign_in.PasswordChange.as_view(), name="password"),
    path("password/reset", sign_in.PasswordReset.as_view(), name="password-reset"),
    path("password/reset/sent", sign_in.PasswordResetSent.as_view(), name="password-reset-sent"),
    path("password/reset/<uidb64>/<token>", sign_in.PasswordResetSet.as_view(), name="password-reset-set"),
    path("settings", me.settings, name="settings"),
    path("settings/look", me.look, name="look"),
    path("notices", me.strips, name="strips"),
    path("", include("console.urls_deciding")),
    path("", include("console.urls_nouns")),
    path("", include("console.urls_agents")),
    path("search", search.search, name="search"),
    path("styleguide", styleguide.styleguide, name="styleguide"),
]
