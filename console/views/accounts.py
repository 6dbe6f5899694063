"""An account: what came from it, all that was done to it, and what came of that."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from agents import access
from agents.models import Account, Action, ContactLock, DoNotContact, Outcome, Run, Signal
from agents.rules.history import facts
from console.views import page
from console.views.search import begins

RECENT = 12


def accounts(request: HttpRequest) -> HttpResponse:
    """Accounts by when something last came from them."""
    access.require(request.user, access.SEE)
    sought = request.GET.get("q", "").strip()[:80]
    found: QuerySet[Account] = access.visible(request.user, Account.objects.select_related("region", "segment"))
    if sought:
        found = found.filter(begins(sought))
    context = {"rows": list(found.order_by("-last_seen", "-id")[:100]), "q": sought}
    return page.render(request, "accounts/list.html", context, fragment="rows")


def account(request: HttpRequest, key: str) -> HttpResponse:
    access.require(request.user, access.SEE)
    person = request.user
    found = get_object_or_404(access.visible(person, Account.objects.select_related("region", "segment")), key=key)
    seen = access.visible(person, Run.objects.filter(account=key))
    runs = page.keyset(request, seen.select_related("agent", "play"), size=25)
    ids = [run.pk for run in runs]
    actions: dict[object, list[Action]] = {id: [] for id in ids}
    contacts = set()
    for action in Action.objects.filter(run_id__in=ids).select_related("connection").defer("payload").order_by("id"):
        actions[action.run_id].append(action)
        if action.contact:
            contacts.add(bytes(action.contact))
    outcomes: dict[object, list[Outcome]] = {id: [] for id in ids}
    for outcome in Outcome.objects.filter(run_id__in=ids).order_by("id"):
        outcomes[outcome.run_id].append(outcome)
    locks = access.visible(person, ContactLock.objects.filter(pk__in=contacts, until__gt=timezone.now()))
    held = {bytes(lock.contact): lock for lock in locks.select_related("agent")}
    said = Signal.objects.filter(pk__in=[run.signal_id for run in runs], contact__isnull=False)
    names = {bytes(one.contact or b""): one.person or one.email for one in said.only("contact", "person", "email")}
    closed = {bytes(one.contact) for one in DoNotContact.objects.filter(pk__in=contacts)}
    context = {
        "account": found,
        "facts": facts(found.history, now=timezone.now()),
        "rows": runs,
        "runs": [(run, actions[run.pk], outcomes[run.pk]) for run in runs],
        "signals": access.visible(person, Signal.objects.filter(account=key))
        .select_related("source")
        .defer("payload")[:RECENT],
        "people": [(one.hex(), names.get(one), held.get(one), one in closed) for one in sorted(contacts)],
    }
    return page.render(request, "accounts/detail.html", context, fragment=("runs", "news"))
