"""How long the record is kept: the rules, the legal holds, and what has gone. Everybody reads it, admins change it."""

from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from agents import access
from agents.holding import hold_key
from approvals.models import Person
from audit.age import RuleError, rule_of, ruled, set_rules, stretches
from audit.holds import HoldError, every, release, set_hold
from audit.words import kinds
from console.views import page
from console.views.page import signed_in

BLANK = 2
"""Empty lines for further rules."""


class HoldForm(forms.Form):
    """A legal hold to be set."""

    kind = forms.ChoiceField(
        label="On",
        choices=[
            ("account", "an account"),
            ("person", "a person"),
            ("agent", "an agent"),
            ("run", "a run"),
            ("period", "a period"),
        ],
    )
    key = forms.CharField(
        label="Which",
        max_length=200,
        required=False,
        help_text="The account’s key, the agent’s or run’s id as in its address, the contact’s address or "
        "hash, or person:7. A period has none.",
    )
    since = forms.DateField(label="From", required=False, help_text="Days are those of UTC.")
    until = forms.DateField(label="Until before", required=False)
    reason = forms.CharField(label="Why", max_length=300, help_text="Such as the matter’s name, for everybody to read.")


def retention(request: HttpRequest) -> HttpResponse:
    """`/audit/retention`; a POST puts the rules typed there in force."""
    access.require(request.user, access.SEE)
    if not access.reach(request.user, access.SEE).everywhere:
        raise PermissionDenied("This speaks of all of the record: it is for those who see all of it.")
    if request.method != "POST":
        return _page(request)
    person = signed_in(request)
    access.require(person, access.ADMINISTER)
    typed = list(
        zip(*(request.POST.getlist(name) for name in ("verbs", "months", "then")), strict=False),
    )
    try:
        rules = [
            rule_of({"verbs": verbs, "months": months, "then": then}) for verbs, months, then in typed if months.strip()
        ]
        seen = request.POST.get("seen", "")
        set_rules(
            rules,
            actor=person.actor,
            reason=request.POST.get("reason", ""),
            seen=int(seen) if seen.isdecimal() else None,
        )
    except RuleError as fault:
        return _page(request, trouble=str(fault), typed=typed, reason=request.POST.get("reason", ""), status=422)
    messages.success(request, "Set. The rules are carried out from tomorrow on.")
    return page.redirect(request, "retention")


@require_POST
def hold(request: HttpRequest) -> HttpResponse:
    """Set a legal hold."""
    person = signed_in(request)
    access.require(person, access.ADMINISTER)
    form = HoldForm(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        try:
            set_hold(
                said["kind"],
                hold_key(said["kind"], said["key"]),
                actor=person.actor,
                reason=said["reason"],
                since=_start(said["since"]),
                until=_start(said["until"]),
            )
        except HoldError as fault:
            form.add_error(None, str(fault))
        else:
            messages.success(request, "Held: nothing of it is dropped or erased until it is released.")
            return page.redirect(request, "retention")
    return _page(request, form=form, status=422)


@require_POST
def let_go(request: HttpRequest, pk: int) -> HttpResponse:
    """Release a legal hold."""
    person = signed_in(request)
    access.require(person, access.ADMINISTER)
    try:
        released = release(pk, actor=person.actor, reason=request.POST.get("reason", ""))
    except HoldError as fault:
        return _page(request, trouble=str(fault), status=422)
    if not released:
        return page.trouble(request, status=409, title="Someone was first.", text="That hold stands no longer.")
    messages.success(request, "Released.")
    return page.redirect(request, "retention")


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    now, holds, gone = ruled(), every(), stretches()
    names = _names({now.actor, *(one.actor for one in holds), *(one.released_by or "" for one in holds)})
    rows = [(rule.verbs, str(rule.months), rule.document["then"]) for rule in now.rules]
    context = {
        "now": now,
        "by": names.get(now.actor, now.actor),
        "pending": now.holds_from is not None and now.holds_from > datetime.now(UTC),
        "rows": more.pop("typed", None) or [*rows, *[("", "", "archive")] * BLANK],
        "holds": [(one, names.get(one.actor, one.actor), names.get(one.released_by or "", "")) for one in holds],
        "gone": gone,
        "verbs": sorted(f"{kind}." for kind in kinds() if kind != "record"),
        "form": HoldForm(),
        "may": access.may(request.user, access.ADMINISTER),
        **more,
    }
    return page.render(request, "audit/retention.html", context, status=status)


def _names(actors: set[str]) -> dict[str, str]:
    keys = [int(actor[7:]) for actor in actors if actor.startswith("person:") and actor[7:].isdecimal()]
    people = {person.actor: person.name for person in Person.objects.filter(pk__in=keys)}
    return {"cli": "the command line"} | people


def _start(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
