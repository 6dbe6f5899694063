"""How we decide: for each person how many answers, how long they took, and what planted questions they caught."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from agents import access, stamps
from agents.models import Agent
from approvals.models.planting import Planting
from console.views import page
from console.views.page import signed_in

PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days"}
DAYS = "30"


@require_GET
def how_we_decide(request: HttpRequest) -> HttpResponse:
    """Everybody who answered in the period, quickest first; for those who publish boundaries. `?days=` 7, 30 or 90."""
    person = signed_in(request)
    access.require(person, access.PUBLISH)
    days = request.GET.get("days", DAYS)
    days = days if days in PERIODS else DAYS
    found = stamps.of_all(since=timezone.now() - timedelta(days=int(days)))
    rows = sorted(found, key=lambda row: row[1].median_s if row[1].median_s is not None else float("inf"))
    every = dict(Planting.objects.values_list("agent", "every"))
    agents = access.visible(person, Agent.objects.filter(slug__in=every)).order_by("name")
    context = {
        "rows": rows,
        "days": days,
        "periods": PERIODS,
        "quick": sum(one.notice for _, one in rows),
        "planting": [(agent, every[agent.slug]) for agent in agents],
    }
    return page.render(request, "inbox/how_we_decide.html", context)
