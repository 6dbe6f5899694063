"""Several yeses at once: of one play and at low risk, each standing or falling by itself."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from agents import access, questions
from agents.tasks import wake
from approvals.models import Approval
from console.asked import Asked
from console.views import page
from console.views.inbox_after import go_on, hex_bytes, undo
from console.views.inbox_order import uuid
from console.views.page import signed_in

MOST = 25


@require_POST
def approve_all(request: HttpRequest) -> HttpResponse:
    """A yes to each of those picked (`pick`: id:binding); what came of each is said."""
    access.require_somewhere(request.user, access.APPROVE)
    parts = [one.partition(":")[::2] for one in request.POST.getlist("pick")[:MOST]]
    picks = [(id_, hex_bytes(binding)) for text, binding in parts if (id_ := uuid(text))]
    if not picks:
        text = "Tick the questions that you want to say yes to, then approve them together."
        return page.trouble(request, status=422, title="Nothing was picked.", text=text)
    person = signed_in(request)
    try:
        results = questions.approve_many(picks, person=person)
    except ValidationError as fault:
        text = f"{' '.join(fault.messages)} Pick questions of one play and of low risk; decide the others one by one."
        return page.trouble(request, status=422, title="These can't be approved together.", text=text)
    said = [one for one in results if one.ok]
    if said:
        wake()
        one = "1 approved" if len(said) == 1 else f"{len(said)} approved"
        messages.success(request, undo(request, f"{one}, of {len(results)} picked.", [each.id for each in said]))
    for each in results:
        if not each.ok:
            what = f"{Asked(each.approval, None).sentence}: " if each.approval else ""
            messages.error(request, f"{what}{each.says}")
    last = access.visible(person, Approval.objects.filter(pk=picks[-1][0])).first()
    return go_on(request, last) if last else page.redirect(request, "inbox")
