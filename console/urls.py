"""Every address of the console."""

from django.urls import URLPattern, URLResolver, include, path

from console import health
from console.views import inbox, me, pauses, search, sign_in, styleguide

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
    path("inbox", inbox.inbox, name="inbox"),
    path("inbox/decided", inbox.decided, name="inbox-decided"),
    path("inbox/approve", inbox.approve_all, name="inbox-approve"),
    path("inbox/<uuid:pk>", inbox.question, name="question"),
    path("inbox/<uuid:pk>/approve", inbox.approve, name="question-approve"),
    path("inbox/<uuid:pk>/reject", inbox.reject, name="question-reject"),
    path("inbox/<uuid:pk>/take-back", inbox.take_back, name="question-take-back"),
    path("pauses", pauses.board, name="pauses"),
    path("pauses/quick", pauses.quick, name="pause-quick"),
    path("pauses/new", pauses.new, name="pause-new"),
    path("pauses/history", pauses.history, name="pause-history"),
    path("pauses/<int:pk>/resume", pauses.resume, name="pause-resume"),
    path("", include("console.urls_nouns")),
    path("", include("console.urls_agents")),
    path("search", search.search, name="search"),
    path("styleguide", styleguide.styleguide, name="styleguide"),
]
