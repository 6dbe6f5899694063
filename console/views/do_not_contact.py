"""The do-not-contact list: who is on it and why, added one by one or imported, and taken off with a reason."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from agents import access
from agents.changes import contact as changes
from agents.models import DoNotContact
from agents.rules.text import as_email
from console.views import once, page
from console.views.page import signed_in

LARGEST = 10 * 1024 * 1024
SHOWN_LINES = 20


class AddForm(forms.Form):
    email = forms.CharField(label="E-mail", max_length=254, widget=forms.EmailInput)
    reason = forms.CharField(label="Why", max_length=200, required=False)


class ImportForm(forms.Form):
    file = forms.FileField(
        label="CSV file", required=False, help_text="A column named email, or addresses in the first one."
    )
    addresses = forms.CharField(
        label="Or paste them", required=False, help_text="One a line.", widget=forms.Textarea(attrs={"class": "code"})
    )
    reason = forms.CharField(label="Why", max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        file = said.get("file")
        if not file and not said.get("addresses", "").strip():
            self.add_error("file", "Choose a file, or paste addresses below.")
        elif file and file.size > LARGEST:
            self.add_error("file", f"The file is larger than {LARGEST // 1024 // 1024} MB: import it in parts.")
        elif file:
            try:
                said["addresses"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "This is not UTF-8 text: save it as CSV (UTF-8) and try again.")
        return said


def do_not_contact(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE, DoNotContact)
    return _page(request)


def _page(request: HttpRequest, **more: Any) -> HttpResponse:
    found = DoNotContact.objects.select_related("added_by")
    sought = request.GET.get("q", "").strip()
    email = as_email(sought)
    if sought:
        found = found.filter(pk=changes.contact_of(email)) if email else found.none()
    context = {
        "rows": page.keyset(request, found, key="added_at"),
        "q": sought,
        "is_email": bool(email),
        "add": AddForm(auto_id="add_%s"),
        "imports": ImportForm(auto_id="import_%s"),
        "result": once.take(request, "imported") if not getattr(request, "htmx", False) else None,
        "may_add": access.may(request.user, access.APPROVE),
        "may_release": access.may(request.user, access.PAUSE),
        **more,
    }
    return page.render(
        request, "do_not_contact/list.html", context, fragment=("rows", "news"), status=more.get("status", 200)
    )


def add(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.APPROVE)
    form = AddForm(request.POST or None, auto_id="add_%s")
    if request.method != "POST":
        return page.redirect(request, "do-not-contact")
    if form.is_valid():
        email, person = form.cleaned_data["email"], signed_in(request)
        try:
            contact = changes.contact_of(email)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            new = changes.suppress(
                contact,
                hint=changes.hint_of(email),
                origin=DoNotContact.Origin.PERSON,
                actor=person.actor,
                reason=form.cleaned_data["reason"],
                person=person,
            )
            hint = changes.hint_of(email)
            messages.success(request, f"{hint} is on the list now." if new else f"{hint} was on the list already.")
            return page.redirect(request, "do-not-contact")
    return _page(request, add=form, status=422)


def import_csv(request: HttpRequest) -> HttpResponse:
    """All that hold an address in one transaction; the next page says how many, and which lines held none."""
    access.require(request.user, access.APPROVE)
    if request.method != "POST":
        return page.redirect(request, "do-not-contact")
    form = ImportForm(request.POST, request.FILES, auto_id="import_%s")
    if form.is_valid():
        person = signed_in(request)
        try:
            said = form.cleaned_data
            result = changes.import_addresses(
                said["addresses"], actor=person.actor, reason=said["reason"], person=person
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            kept = {"added": result.added, "already": result.already, "invalid": len(result.invalid)}
            once.keep(request, "imported", {**kept, "lines": result.invalid[:SHOWN_LINES]})
            return page.redirect(request, "do-not-contact")
    return _page(request, imports=form, status=422)
