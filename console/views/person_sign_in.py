"""How a person signs in, for admins: second steps taken away, signed out everywhere, tokens revoked; and the rules."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from agents import access
from approvals.models import ApiToken, Person, Role
from console import oidc, second_step, sessions, sign_in_rules, step_up
from console.api import tokens
from console.views import page
from console.views.page import signed_in

OWN = "This is your own sign-in: change it under Settings."


class RulesForm(forms.Form):
    roles = forms.MultipleChoiceField(
        label="Who needs a second step",
        choices=Role.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Who has none sets one up before anything else opens. Sign-in with the provider counts as one.",
    )


def person(request: HttpRequest, pk: int) -> HttpResponse:
    access.require(request.user, access.ADMINISTER)
    one = get_object_or_404(Person, pk=pk)
    context = {
        "person": one,
        "steps": second_step.of(one),
        "sessions": sessions.of(one),
        "tokens": ApiToken.objects.filter(person=one).order_by("-pk"),
        "linked": oidc.is_linked(one),
        "needed": sign_in_rules.asks(one),
        "oneself": one.pk == signed_in(request).pk,
    }
    return page.render(request, "people/sign_in.html", context)


@require_POST
def reset(request: HttpRequest, pk: int) -> HttpResponse:
    """As when a phone is lost: the password alone gets in, until they set up another."""
    access.require(request.user, access.ADMINISTER)
    if asked := step_up.first(request, "to take second steps away"):
        return asked
    one = get_object_or_404(Person, pk=pk)
    if one.pk == signed_in(request).pk:
        messages.error(request, OWN)
    elif second_step.reset(one, actor=signed_in(request).actor):
        messages.success(request, f"{one.name} has no second step any more, and got a mail that says so.")
    else:
        messages.error(request, f"{one.name} had none.")
    return page.redirect(request, "person-sign-in", pk)


@require_POST
def sign_out(request: HttpRequest, pk: int) -> HttpResponse:
    """End every session of the person, at once; without a step-up, since stopping is never made hard."""
    access.require(request.user, access.ADMINISTER)
    one = get_object_or_404(Person, pk=pk)
    sessions.end_all(one, actor=signed_in(request).actor)
    messages.success(request, f"{one.name} is signed out everywhere. API tokens go on working until revoked.")
    return page.redirect(request, "person-sign-in", pk)


@require_POST
def revoke(request: HttpRequest, pk: int, token: int) -> HttpResponse:
    access.require(request.user, access.ADMINISTER)
    kept = get_object_or_404(ApiToken, pk=token, person_id=pk)
    tokens.revoke(kept, actor=signed_in(request).actor)
    messages.success(request, f"“{kept.name}” is revoked: it stopped working at once.")
    return page.redirect(request, "person-sign-in", pk)


def rules(request: HttpRequest) -> HttpResponse:
    """Which roles need a second step; a POST changes it, after a step-up."""
    access.require(request.user, access.ADMINISTER)
    form = RulesForm(request.POST if request.method == "POST" else None, initial={"roles": sign_in_rules.roles()})
    if request.method == "POST" and (asked := step_up.first(request, "to change who needs a second step")):
        return asked
    if request.method == "POST" and form.is_valid():
        sign_in_rules.change(form.cleaned_data["roles"], actor=signed_in(request).actor)
        messages.success(request, "Saved. It holds within seconds.")
        return page.redirect(request, "sign-in-rules")
    counts = sign_in_rules.without_second_step()
    without = ", ".join(f"{label} {counts[value]}" for value, label in Role.choices if counts.get(value))
    context = {"form": form, "without": without}
    return page.render(request, "people/sign_in_rules.html", context, status=422 if form.errors else 200)
