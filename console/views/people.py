"""People: who they are, what they answer for, letting them in and closing their sign-in. For admins."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.http import require_POST

from agents import access
from agents.access.whom import effective, in_order
from agents.changes import person as changes
from agents.changes.seen import ChangedSince, token
from agents.models import Agent
from approvals.models import Person, Role
from console import step_up
from console.views import once, page, shown
from console.views.page import signed_in
from console.views.scope_form import zones

LINK = "invitation"
DAYS = settings.PASSWORD_RESET_TIMEOUT // 86_400
MEANS = {
    "admin": "everything, people and connections too.",
    "ops": "builds agents, publishes boundaries, pauses and approves.",
    "owner": "answers for their own agents: builds, publishes, pauses, approves, takes incidents.",
    "rep": "decides what waits in the Inbox.",
    "engineer": "builds agents, connects what goes in and out, sends again; approves nothing.",
    "auditor": "reads everything, changes nothing.",
}


HOLDS = (
    ("everywhere", "Everywhere: for every agent, region and segment."),
    ("granted", "Only where it is granted, on their own page."),
)


class PersonForm(forms.Form):
    name = forms.CharField(max_length=120)
    email = forms.EmailField(max_length=254, label="E-mail")
    role = forms.ChoiceField(
        choices=[(value, f"{label}: {MEANS[value]}") for value, label in Role.choices], widget=forms.RadioSelect
    )
    holds = forms.ChoiceField(
        required=False,
        label="Where it holds",
        choices=HOLDS,
        widget=forms.RadioSelect,
        help_text="On the agents they own or stand in for it always holds, and an admin’s role holds everywhere.",
    )
    time_zone = forms.ChoiceField(label="Time zone", choices=zones())

    @property
    def said(self) -> dict[str, Any]:
        """What the form says, as `agents.changes.person` takes it; a valid form only."""
        said = dict(self.cleaned_data)
        holds = said.pop("holds")
        return {**said, "everywhere": holds == "everywhere"} if holds else said


def _initial(one: Person) -> dict[str, Any]:
    return {**changes.parts(one), "holds": "everywhere" if one.everywhere else "granted"}


def people(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.ADMINISTER)
    owns, deputises = _answers_for()
    rows = [
        (one, owns.get(one.pk, []), deputises.get(one.pk, []))
        for one in sorted(Person.objects.all(), key=lambda one: (not one.is_active, one.name.casefold(), one.pk))
    ]
    roles = [(label, in_order(access.GRANTS[role]), MEANS[role]) for role, label in Role.choices]
    return page.render(request, "people/list.html", {"rows": rows, "roles": roles})


def _answers_for() -> tuple[dict[int, list[Agent]], dict[int, list[Agent]]]:
    """The agents, but the retired ones, that each person owns, and is deputy of."""
    owns: dict[int, list[Agent]] = {}
    deputises: dict[int, list[Agent]] = {}
    for agent in Agent.objects.exclude(stage="retired").only("slug", "name", "stage", "owner_id", "deputy_id"):
        for who, found in ((agent.owner_id, owns), (agent.deputy_id, deputises)):
            if who is not None:
                found.setdefault(who, []).append(agent)
    return owns, deputises


def new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.ADMINISTER)
    if asked := step_up.first(request, "to invite someone"):
        return asked
    form = PersonForm(
        request.POST or None,
        initial={"role": Role.REP, "holds": "everywhere", "time_zone": signed_in(request).time_zone},
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = changes.create_person(actor=signed_in(request).actor, **form.said)
        except ValidationError as error:
            _blame(form, error)
        else:
            _invite(request, made)
            return page.redirect(request, "person", made.pk)
    return page.render(request, "people/form.html", {"form": form, "days": DAYS}, status=422 if form.errors else 200)


def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: what they are and answer for; a POST changes them."""
    access.require(request.user, access.ADMINISTER)
    if request.method == "POST" and (asked := step_up.first(request, "to change a person")):
        return asked
    one = get_object_or_404(Person, pk=pk)
    form = PersonForm(request.POST if request.method == "POST" else None, initial=_initial(one))
    if request.method == "POST" and form.is_valid():
        try:
            seen = request.POST.get("seen", "")
            changes.change_person(one, actor=signed_in(request).actor, seen=seen, **form.said)
        except ChangedSince as error:
            return shown.changed_since(request, error)
        except ValidationError as error:
            _blame(form, error)
        else:
            messages.success(request, "Saved.")
            return page.redirect(request, "people")
    return _page(request, one, form)


def _page(request: HttpRequest, one: Person, form: PersonForm, trouble: str = "") -> HttpResponse:
    owns, deputises = _answers_for()
    context = {
        "person": one,
        "form": form,
        "owns": owns.get(one.pk, []),
        "deputises": deputises.get(one.pk, []),
        "holds": [agent for agent in owns.get(one.pk, []) if agent.stage != "draft"],
        "link": once.take(request, f"{LINK}:{one.pk}") if request.method == "GET" else None,
        "days": DAYS,
        "seen": token(changes.parts(one)),
        "trouble": trouble,
        "oneself": one.pk == signed_in(request).pk,
        "access": effective(one),
        "answerable": one.role in access.ANSWERABLE,
    }
    return page.render(request, "people/form.html", context, status=422 if form.errors or trouble else 200)


@require_POST
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    """`on` yes lets them sign in again, no closes their sign-in."""
    access.require(request.user, access.ADMINISTER)
    one = get_object_or_404(Person, pk=pk)
    actor = signed_in(request).actor
    if request.POST.get("on") == "yes":
        changes.reopen_person(one, actor=actor)
        messages.success(request, f"{one.name} can sign in again.")
        return page.redirect(request, "person", pk)
    try:
        changes.close_person(one, actor=actor)
    except changes.StillOwns as error:
        return _page(request, one, PersonForm(initial=_initial(one)), str(error))
    except ValidationError as error:
        return _page(request, one, PersonForm(initial=_initial(one)), " ".join(error.messages))
    messages.success(request, f"{one.name} can no longer sign in. What they did stays in the record.")
    return page.redirect(request, "people")


@require_POST
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """A link to set a password: mailed, or where no mail goes out shown once."""
    access.require(request.user, access.ADMINISTER)
    if asked := step_up.first(request, "to give a link that sets a password"):
        return asked
    one = get_object_or_404(Person, pk=pk, is_active=True)
    _invite(request, one)
    return page.redirect(request, "person", pk)


def _invite(request: HttpRequest, one: Person) -> None:
    uid = urlsafe_base64_encode(force_bytes(one.pk))
    path = reverse("password-reset-set", args=[uid, default_token_generator.make_token(one)])
    address, inviter = f"{settings.BASE_URL}{path}", signed_in(request)
    mailed = False
    if not settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
        text = render_to_string(
            "people/invitation.txt", {"person": one, "by": inviter, "address": address, "days": DAYS}
        )
        try:
            mailed = bool(send_mail(f"{inviter.name} invites you to Signalbox", text, None, [one.email]))
        except OSError:
            messages.warning(request, "The mail server did not take the mail: give the link yourself.")
    changes.note_invited(one, actor=inviter.actor, mailed=mailed)
    if mailed:
        messages.success(request, f"A link to set a password is on its way to {one.email}.")
    else:
        once.keep(request, f"{LINK}:{one.pk}", address)


def _blame(form: forms.BaseForm, error: ValidationError) -> None:
    for name, lines in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
        form.add_error(name if name in form.fields else None, lines)
