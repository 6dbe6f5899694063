"""Not yes and not no: handing a question to somebody, asking about it, replying, and putting it off."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from agents import access, questions
from approvals.models import Approval, Person
from approvals.questions import Stale
from console.asked import asked
from console.views import inbox_later as later
from console.views import page
from console.views.inbox_after import go_on, gone, origin, too_late
from console.views.inbox_filters import Filters
from console.views.page import signed_in

LONGEST = 1000


class HandForm(forms.Form):
    """To whom, of those who may answer it, and what they should know."""

    to = forms.ModelChoiceField(Person.objects.none(), label="To", empty_label=None)
    note = forms.CharField(label="What they should know", required=False, max_length=300, widget=forms.Textarea)

    def __init__(self, people: list[Person], *args: Any) -> None:
        super().__init__(*args)
        to = self.fields["to"]
        assert isinstance(to, forms.ModelChoiceField)
        to.queryset = Person.objects.filter(pk__in=[one.pk for one in people])
        self.fields["note"].widget.attrs["rows"] = 2


class AskForm(forms.Form):
    """A question about the question, or a reply."""

    text = forms.CharField(label="What do you want to know?", max_length=LONGEST, widget=forms.Textarea)

    def __init__(self, *args: Any, reply: bool = False) -> None:
        super().__init__(*args)
        self.fields["text"].widget.attrs["rows"] = 3
        if reply:
            self.fields["text"].label = "Your reply"


@require_http_methods(["GET", "POST"])
def hand(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hand it to somebody who may answer it; nobody else is offered."""
    person, approval = signed_in(request), _seen(request, pk)
    people = questions.candidates(approval, but=person)
    form = HandForm(people, request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            to = form.cleaned_data["to"]
            try:
                handed = questions.hand_to(pk, person=person, to=to, note=form.cleaned_data["note"])
            except Stale as stale:
                return too_late(request, stale)
            except ValidationError as fault:
                form.add_error("to", fault)
            else:
                messages.success(request, _handed(handed, to))
                return go_on(request, handed)
    return _page(request, "inbox/hand.html", approval, status, form=form, people=people)


def _handed(approval: Approval, to: Person) -> str:
    got = approval.assigned_to
    if got is None or got.pk == to.pk:
        return f"Handed to {to.name}, who is told at once."
    return f"{to.name} is away, so it went to {got.name}, who stands in and is told at once."


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask the agent's owner about it, or reply: the question goes on waiting."""
    person, approval = signed_in(request), _seen(request, pk)
    talk = list(approval.messages.select_related("person", "to"))
    replies = any(line.to_id == person.pk or line.person_id == person.pk for line in talk)
    form = AskForm(request.POST or None, reply=bool(talk))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            say = questions.reply if replies else questions.ask
            try:
                said = say(pk, person=person, text=form.cleaned_data["text"])
            except Stale as stale:
                return too_late(request, stale)
            except ValidationError as fault:
                form.add_error("text", fault)
            else:
                to = said.to.name if said.to else "Everybody in the talk"
                messages.success(request, f"{to} is told at once. The question goes on waiting.")
                return page.redirect(request, "question", pk)
    return _page(request, "inbox/talk.html", approval, status, form=form, talk=talk)


@require_http_methods(["GET", "POST"])
def snooze(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put it off for oneself: by one of the choices, or until a moment of one's own. Others see it as before."""
    person, approval = signed_in(request), _seen(request, pk)
    fault = ""
    if request.method == "POST":
        try:
            until = later.moment(request.POST.get("until", ""), request.POST.get("own", ""))
            questions.snooze(pk, person=person, until=until)
        except Stale as stale:
            return too_late(request, stale)
        except ValidationError as error:
            fault = " ".join(error.messages)
        except ValueError as error:
            fault = str(error)
        else:
            local = timezone.localtime(until)
            messages.info(request, f"Put off until {local:%a} {local.day} {local:%b, %H:%M}. Others still see it.")
            return go_on(request, approval)
    status = 422 if fault else 200
    return _page(request, "inbox/snooze.html", approval, status, fault=fault, snoozes=later.CHOICES)


@require_POST
def unsnooze(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have it back in the list now."""
    _seen(request, pk)
    if not questions.unsnooze(pk, person=signed_in(request)):
        return gone(request)
    messages.info(request, "It waits in the list again.")
    return page.redirect(request, reverse("inbox-put-off"))


def _seen(request: HttpRequest, pk: UUID) -> Approval:
    return get_object_or_404(access.visible(signed_in(request), Approval.objects.all()), pk=pk)


def _page(request: HttpRequest, template: str, approval: Approval, status: int, **context: Any) -> HttpResponse:
    one = next(asked([approval], signed_in(request)))
    return page.render(
        request,
        template,
        {"one": one, "filters": Filters.of(request), "origin": origin(request), **context},
        fragment=("dialog",),
        status=status,
    )
