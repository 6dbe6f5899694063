"""The addresses of getting in and of one's own sign-in; `console.urls` takes them in.

allauth asks for some by names of its own; they are the same pages.
"""

from django.urls import URLPattern, URLResolver, path

from console.views import away, confirm, me, person_sign_in, provider, second_step, security, sign_in, tokens

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-in", sign_in.SignIn.as_view(), name="account_login"),
    path("sign-in/code", second_step.Code.as_view(), name="mfa_authenticate"),
    path("sign-in/passkey", second_step.Passkey.as_view(), name="sign-in-passkey"),
    path("sign-in/with/<slug:provider_id>", provider.there, name="openid_connect_login"),
    path("sign-in/with/<slug:provider_id>/back", provider.back, name="openid_connect_callback"),
    path("sign-out", sign_in.SignOut.as_view(), name="sign-out"),
    path("confirm", confirm.confirm, name="confirm"),
    path("password", sign_in.PasswordChange.as_view(), name="password"),
    path("password/reset", sign_in.PasswordReset.as_view(), name="password-reset"),
    path("password/reset/sent", sign_in.PasswordResetSent.as_view(), name="password-reset-sent"),
    path("password/reset/<uidb64>/<token>", sign_in.PasswordResetSet.as_view(), name="password-reset-set"),
    path("settings", me.settings, name="settings"),
    path("settings/look", me.look, name="look"),
    path("settings/away", away.away, name="away"),
    path("settings/sign-in", security.overview, name="security"),
    path("settings/sign-in/app", security.add_app, name="second-step-app"),
    path("settings/sign-in/codes", security.codes, name="recovery-codes"),
    path("settings/sign-in/passkey", security.add_passkey, name="passkey-new"),
    path("settings/sign-in/steps/<int:pk>/remove", security.remove_step, name="second-step-remove"),
    path("settings/sign-in/sessions/end", security.end_session, name="session-end"),
    path("settings/tokens", tokens.mine, name="tokens"),
    path("settings/tokens/new", tokens.new, name="token-new"),
    path("settings/tokens/<int:pk>/revoke", tokens.revoke, name="token-revoke"),
    path("people/sign-in", person_sign_in.rules, name="sign-in-rules"),
    path("people/<int:pk>/sign-in", person_sign_in.person, name="person-sign-in"),
    path("people/<int:pk>/sign-in/reset", person_sign_in.reset, name="person-steps-reset"),
    path("people/<int:pk>/sign-in/out", person_sign_in.sign_out, name="person-sign-out"),
    path("people/<int:pk>/tokens/<int:token>/revoke", person_sign_in.revoke, name="person-token-revoke"),
]
