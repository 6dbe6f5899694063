"""Grants: giving, changing and taking back what a person may do on one thing, and who may do what to it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from agents import access
from agents.access.whom import ORDER, granted, who_may
from agents.changes.grant import NOUNS, Thing, give, kind_and_key, take_back
from agents.models import Grant
from agents.models.grant import SAYS, VERBS
from approvals.models import Person
from console import step_up
from console.until import parse_until
from console.views import page
from console.views.page import signed_in

GRANTABLE = tuple(verb for verb in ORDER if verb in VERBS["agent"])
WORDS = {"agent": "Agents", "region": "Regions", "segment": "Segments"}


class GrantForm(forms.Form):
    """What may be done where, until when and why."""

    on = forms.ChoiceField(label="On", help_text="A region or segment takes in all that lies beneath it.")
    verbs = forms.MultipleChoiceField(
        label="They may",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[(verb, SAYS[verb].removeprefix("May ").capitalize()) for verb in GRANTABLE],
        help_text="Building, publishing and incidents are granted on agents only. They see whatever they were granted.",
    )
    until = forms.CharField(
        label="Until",
        required=False,
        max_length=30,
        help_text="2h, 7d or 2026-12-24T18:00. It ends by itself; left empty it holds until it is taken back.",
    )
    why = forms.CharField(label="Why", max_length=300, help_text="It stands beside the grant and in the record.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = [
            (WORDS[noun], [(f"{noun}:{getattr(one, key)}", _label(noun, one)) for one in model._default_manager.all()])
            for noun, (model, key) in NOUNS.items()
        ]
        self.fields["on"].choices = [("", "choose one"), *groups]  # type: ignore[attr-defined]

    def clean_until(self) -> Any:
        try:
            return parse_until(self.cleaned_data["until"])
        except ValueError as fault:
            raise ValidationError(str(fault)) from None


def _label(noun: str, one: Thing) -> str:
    return str(one) if noun == "agent" else f"{one} ({kind_and_key(one)[1]})"


def thing_of(text: str) -> Thing | None:
    """The agent, region or segment that "region:emea/de" names."""
    noun, _, key = text.partition(":")
    if noun not in NOUNS:
        return None
    model, column = NOUNS[noun]
    return model._default_manager.filter(**{column: key}).first()


def grant(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a person something, or change what they have on `?on=region:emea`; a POST does it."""
    access.require(request.user, access.ADMINISTER)
    if asked := step_up.first(request, "to grant something"):
        return asked
    person, by = get_object_or_404(Person, pk=pk), signed_in(request)
    form = GrantForm(request.POST if request.method == "POST" else None, initial=_initial(person, request))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        thing = thing_of(said["on"])
        try:
            if thing is None:
                raise ValidationError({"on": "It is no longer there."})
            give(
                person, on=thing, verbs=said["verbs"], why=said["why"], expires_at=said["until"],
                actor=by.actor, by=by,
            )  # fmt: skip
        except ValidationError as error:
            _blame(form, error)
        else:
            messages.success(request, f"{person.name} may {', '.join(said['verbs'])} on {thing} from now on.")
            return page.redirect(request, f"/people/{pk}#access")
    context = {"form": form, "person": person, "changing": bool(request.GET.get("on"))}
    return page.render(request, "people/grant.html", context, fragment="dialog", status=422 if form.errors else 200)


def _initial(person: Person, request: HttpRequest) -> dict[str, Any]:
    asked = thing_of(request.GET.get("on", ""))
    if asked is None:
        verbs = set(access.GRANTS.get(person.role, ())) & set(VERBS["region"])
        return {"verbs": sorted(verbs | {access.SEE}), "on": ""}
    noun, key = kind_and_key(asked)
    found = [one for one in granted(Grant.objects.filter(user=person)) if one.thing == asked]
    given = {"verbs": list(found[0].verbs), "why": found[0].why, "until": _moment(found[0])} if found else {}
    return {"on": f"{noun}:{key}", **given}


def _moment(one: Any) -> str:
    if one.expires_at is None or one.over:
        return ""
    return f"{timezone.localtime(one.expires_at):%Y-%m-%dT%H:%M}"


def _blame(form: GrantForm, error: ValidationError) -> None:
    names = {"expires_at": "until"}
    for name, faults in error.message_dict.items():
        name = names.get(name, name)
        form.add_error(name if name in form.fields else None, faults)


@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back what they were granted on `on`, at once."""
    access.require(request.user, access.ADMINISTER)
    person, thing = get_object_or_404(Person, pk=pk), thing_of(request.POST.get("on", ""))
    if thing is None:
        raise Http404
    ended = take_back(person, on=thing, actor=signed_in(request).actor)
    if ended:
        messages.success(request, f"{person.name} may no longer {', '.join(ended)} on {thing} by a grant.")
    else:
        messages.info(request, "That had been taken back before.")
    return page.redirect(request, f"/people/{pk}#access")


@require_GET
def who(request: HttpRequest) -> HttpResponse:
    """`?on=region:emea&may=pause`: everyone who may, each with why. For those who see everything."""
    access.require(request.user, access.SEE, Person)
    text, verb = request.GET.get("on", ""), request.GET.get("may", "")
    thing = thing_of(text)
    if text and thing is None:
        raise Http404
    verbs = [one for one in ORDER if thing is not None and one in VERBS[kind_and_key(thing)[0]]]
    verb = verb if verb in GRANTABLE else "pause"
    context = {
        "form": GrantForm(initial={"on": text}),
        "thing": thing,
        "on": ":".join(kind_and_key(thing)) if thing is not None else "",
        "verb": verb,
        "verbs": verbs if thing is not None else GRANTABLE,
        "people": who_may(verb, thing) if thing is not None and verb in verbs else [],
        "may_administer": access.may(request.user, access.ADMINISTER),
    }
    return page.render(request, "people/who.html", context)
