"""The addresses of getting in and of one's own sign-in; `console.urls` takes them in.

allauth asks for some by names of its own; they are the same pages.
"""

from django.urls import URLPattern, URLResolver, path

from console.views import confirm, me, second_step, security, sign_in

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-in", sign_in.SignIn.as_view(), name="account_login"),
    path("sign-in/code", second_step.Code.as_view(), name="mfa_authenticate"),
    path("sign-in/passkey", second_step.Passkey.as_view(), name="sign-in-passkey"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign-out"),
    path("confirm", confirm.confirm, name="confirm"),
    path("password", sign_in.PasswordChange.as_view(), name="password"),
    path("password/reset", sign_in.PasswordReset.as_view(), name="password-reset"),
    path("password/reset/sent", sign_in.PasswordResetSent.as_view(), name="password-reset-sent"),
    path("password/reset/<uidb64>/<token>", sign_in.PasswordResetSet.as_view(), name="password-reset-set"),
    path("settings", me.settings, name="settings"),
    path("settings/look", me.look, name="look"),
    path("settings/sign-in", security.overview, name="security"),
    path("settings/sign-in/app", security.add_app, name="second-step-app"),
    path("settings/sign-in/codes", security.codes, name="recovery-codes"),
    path("settings/sign-in/passkey", security.add_passkey, name="passkey-new"),
    path("settings/sign-in/steps/<int:pk>/remove", security.remove_step, name="second-step-remove"),
    path("settings/sign-in/sessions/end", security.end_session, name="session-end"),
]
