"""A person's own API tokens: listed, made (shown once), revoked."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from agents import access
from agents.models import Agent, Region, Segment
from approvals.models import ApiToken, Person
from console import step_up
from console.api import tokens
from console.views import once, page
from console.views.page import signed_in

TEXT = "api-token"
MEANS = {
    access.SEE: "Read what you see",
    access.PAUSE: "Pause and resume",
    access.TAKE: "Take and resolve incidents",
    access.RESEND: "Send again what failed",
}
DAYS = {7: "7 days", 30: "30 days", 90: "90 days", tokens.LONGEST_DAYS: "A year"}


class TokenForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="What will use it, such as “deploy pipeline”.")
    verbs = forms.MultipleChoiceField(label="It may", widget=forms.CheckboxSelectMultiple)
    agents = forms.MultipleChoiceField(label="Only for agents", required=False, widget=forms.CheckboxSelectMultiple)
    regions = forms.MultipleChoiceField(label="Only in regions", required=False, widget=forms.CheckboxSelectMultiple)
    segments = forms.MultipleChoiceField(label="Only in segments", required=False, widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(label="Expires after", coerce=int, choices=list(DAYS.items()), initial=30)

    def __init__(self, person: Person, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["verbs"].choices = [(verb, word) for verb, word in MEANS.items() if access.may_somewhere(person, verb)]
        for name, model, key in (("agents", Agent, "slug"), ("regions", Region, "code"), ("segments", Segment, "code")):
            seen = access.visible(person, model.objects.order_by(key))
            fields[name].choices = [(getattr(one, key), one.name) for one in seen]

    def scopes(self) -> list[forms.BoundField]:
        """What it can be narrowed to, where there is any."""
        fields: dict[str, Any] = self.fields
        return [self[name] for name in ("agents", "regions", "segments") if fields[name].choices]


@never_cache
def mine(request: HttpRequest) -> HttpResponse:
    """The tokens that act in the person's name; one just made is shown this once."""
    person = signed_in(request)
    rows = ApiToken.objects.filter(person=person).order_by("-pk")
    context = {"tokens": rows, "new": once.take(request, TEXT) if request.method == "GET" else None}
    return page.render(request, "me/tokens.html", context)


@never_cache
@step_up.required("to make a token")
def new(request: HttpRequest) -> HttpResponse:
    person = signed_in(request)
    form = TokenForm(person, request.POST or None, initial={"verbs": [access.SEE]})
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        expires_at = timezone.now() + timedelta(days=given.pop("days"))
        token, text = tokens.make(person, **given, expires_at=expires_at, actor=person.actor)
        once.keep(request, TEXT, {"name": token.name, "text": text})
        return page.redirect(request, "tokens")
    return page.render(request, "me/token_new.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Without a step-up: stopping is never made hard."""
    person = signed_in(request)
    token = get_object_or_404(ApiToken, pk=pk, person=person)
    tokens.revoke(token, actor=person.actor)
    messages.success(request, f"“{token.name}” is revoked: it stopped working at once.")
    return page.redirect(request, "tokens")
