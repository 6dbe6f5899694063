"""Erasing one person: what it would clear, what it can't reach, and, for an admin who confirms, doing it."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse

from agents import access, erasure
from agents.models import DoNotContact
from console import step_up
from console.views import page
from console.views.contacts import contact_of
from console.views.page import signed_in

MOST = 50_000
"""Rows up to which a browser may wait for it; beyond it is `manage.py erase`."""
WORDS = {
    "agents_signal": "signals", "agents_run": "runs", "agents_action": "actions", "agents_attempt": "attempts",
    "agents_deadletter": "dead letters", "approvals_approval": "questions", "approvals_verdict": "notes on answers",
    "approvals_edit": "edits", "approvals_message": "messages", "approvals_call": "notes on questions handed on",
    "agents_account": "account names", "agents_donotcontact": "hint on the do-not-contact list",
}  # fmt: skip


def erase(request: HttpRequest, hash: str) -> HttpResponse:
    """A GET says what would be cleared; a POST, after a step-up, erases."""
    access.require(request.user, access.ADMINISTER)
    contact = contact_of(hash)
    if request.method == "POST" and (asked := step_up.first(request, "to erase a person")):
        return asked
    would = erasure.preview(contact)
    trouble = ""
    if request.method == "POST" and would.total > MOST:
        trouble = f"That is {would.total:,} rows: run manage.py erase on the server, which needs no browser to wait."
    elif request.method == "POST":
        try:
            done = erasure.erase(contact, actor=signed_in(request).actor, reason=request.POST.get("reason", ""))
        except ValidationError as error:
            trouble = " ".join(error.messages)
        except OperationalError:
            trouble = "Somebody is busy with their rows: nothing more was erased; try again in a moment."
        else:
            said = f"Erased: {done.total:,} rows cleared, {done.stopped:,} actions stopped." if done else ""
            messages.success(request, said or "There was nothing left to erase.")
            return page.redirect(request, "contact", hash)
    context = {
        "hash": hash,
        "would": would,
        "rows": [(WORDS.get(table, table), count) for table, count in would.rows.items()],
        "trouble": trouble,
        "reason": request.POST.get("reason", ""),
        "erased": erasure.erased_at(contact),
        "listed": DoNotContact.objects.filter(pk=contact).exists(),
    }
    return page.render(request, "contacts/erase.html", context, status=422 if trouble else 200)
