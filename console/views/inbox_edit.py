"""Edit and approve: the fields that the clause lets an approver edit, what that changes, and the yes to it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from agents import access, questions
from approvals.models import Approval
from approvals.questions import Stale
from console import step_up
from console.asked import Asked, asked
from console.views import page
from console.views.inbox_after import binding_of, go_on, gone, origin, too_late
from console.views.inbox_answers import say_yes, seen_at
from console.views.inbox_filters import Filters
from console.views.page import signed_in


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """
    The form; posted with `show`, the same with what would change; else the yes to what is written.

    By htmx as "changes": only the difference. At high risk an edit is a new question, for somebody else to answer.
    """
    person = signed_in(request)
    approval = get_object_or_404(access.visible(person, Approval.objects.all()), pk=pk)
    one = next(asked([approval], person))
    fields = [(path, _label(path), request.POST.get(f"field:{path}", text)) for path, text in one.editable]
    if request.method == "GET" or "show" in request.POST:
        return _form(request, one, fields)
    given = {path: text.replace("\r\n", "\n") for path, _, text in fields}
    try:
        if approval.risk == "high" and not step_up.fresh(request):
            questions.require_eligible(approval, person)
            return step_up.ask(request, then=reverse("question-edit", args=[pk]), what="to edit at high risk")
        answered = questions.edit_and_approve(
            pk, person=person, binding=binding_of(request.POST), fields=given, seen_at=seen_at(request)
        )
    except Stale as stale:
        return too_late(request, stale)
    except Approval.DoesNotExist:
        return gone(request)
    except ValidationError as fault:
        return _form(request, one, fields, fault=fault)
    if answered.pk != pk:
        text = "Somebody else has to say yes to what you edited, since its risk is high. They are asked now."
        messages.success(request, text)
        return go_on(request, approval)
    say_yes(request, answered)
    return go_on(request, answered)


def _form(
    request: HttpRequest, one: Asked, fields: list[tuple[str, str, str]], fault: ValidationError | None = None
) -> HttpResponse:
    faults = getattr(fault, "message_dict", {"": fault.messages}) if fault else {}
    before = dict(one.editable)
    context: dict[str, Any] = {
        "one": one,
        "filters": Filters.of(request),
        "origin": origin(request),
        "fields": [
            {"path": path, "label": label, "text": text, "rows": _rows(text), "errors": faults.get(path, [])}
            for path, label, text in fields
        ],
        "changes": [
            (label, before[path], text.replace("\r\n", "\n"))
            for path, label, text in fields
            if text.replace("\r\n", "\n") != before[path]
        ],
        "faults": [line for path, lines in faults.items() if path not in before for line in lines],
        "drawn": request.POST.get("shown", ""),
    }
    return page.render(request, "inbox/edit.html", context, fragment=("changes",), status=422 if fault else 200)


def _label(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ").replace("-", " ").capitalize()


def _rows(text: str) -> int:
    """How high a field is; 1 is one line."""
    return min(16, text.count("\n") + len(text) // 70 + 1)
