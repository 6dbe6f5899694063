"""Dead letters: what was accepted but not understood, replayed once the mapping is mended, or discarded."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from agents import access, tasks
from agents.loop.dead_letters import discard, replay
from agents.models import DeadLetter, Source
from console.views import once, page
from console.views.page import signed_in
from console.views.signals import MOST, counts

LARGEST = 200
"""How many letters one selection may hold."""
WORDS = {
    "accepted": "Now a signal.",
    "duplicate": "It repeats a signal that was received before.",
    "conflict": "Same id as a signal with other content.",
}


def dead_letters(request: HttpRequest) -> HttpResponse:
    access.require(request.user, access.SEE, DeadLetter)
    asked = request.GET
    state = asked.get("state") if asked.get("state") in DeadLetter.State.values else DeadLetter.State.OPEN
    queryset = DeadLetter.objects.select_related("source").filter(state=state)
    if slug := asked.get("source"):
        queryset = queryset.filter(source__slug=slug)
    if asked.get("kind") in DeadLetter.Kind.values:
        queryset = queryset.filter(kind=asked["kind"])
    context = {
        "rows": page.keyset(request, queryset, size=25),
        "results": once.take(request, "dead-letters") if not getattr(request, "htmx", False) else None,
        "state": state,
        "asked": asked,
        "sources": Source.objects.all(),
        "states": DeadLetter.State.choices,
        "kinds": DeadLetter.Kind.choices,
        "counts": counts(request.user),
        "most": MOST,
        "tab": "dead",
        "may_mend": access.may(request.user, access.BUILD),
    }
    return page.render(request, "signals/dead.html", context, fragment=("rows", "news"))


@require_POST
def close(request: HttpRequest) -> HttpResponse:
    """Replay or discard those that are ticked; the page after says what became of each."""
    access.require(request.user, access.BUILD)
    ids = _ids(request.POST.getlist("letter"))
    if not ids:
        return page.trouble(request, status=422, title="Nothing is ticked", text="Tick the letters you mean first.")
    letters = {one.pk: one for one in DeadLetter.objects.select_related("source").filter(pk__in=ids)}
    for source in {one.source for one in letters.values()}:
        access.require(request.user, access.BUILD, source)
    actor = signed_in(request).actor
    results: list[dict[str, str]] = []
    if request.POST.get("do") == "replay":
        answered = {one.id: one for one in replay(ids, actor=actor)}
        if any(one.fate == "accepted" for one in answered.values()):
            tasks.wake()
        became = dict(DeadLetter.objects.filter(pk__in=ids).values_list("pk", "signal_id"))
        for id in ids:
            one = answered.get(id)
            says = (WORDS.get(one.fate) or f"Still not understood. {one.why}") if one else "Someone closed it before."
            signal = became.get(id) if one and one.fate in ("accepted", "duplicate") else None
            results.append(_result(letters.get(id), one.fate if one else "closed", says, signal))
    elif request.POST.get("do") == "discard":
        gone = discard(ids, actor=actor)
        says = f"{gone} discarded. Their ids are forgotten, so the sender may send them again."
        if gone < len(ids):
            says += f" {len(ids) - gone} had been closed before."
        results.append({"id": "", "fate": "discarded", "says": says, "signal": "", "source": ""})
    else:
        raise PermissionDenied("Choose Replay or Discard.")
    once.keep(request, "dead-letters", results)
    return page.back(request, "dead-letters")


def _ids(texts: list[str]) -> list[UUID]:
    found = []
    for text in texts[:LARGEST]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _result(letter: DeadLetter | None, fate: str, says: str, signal: UUID | None) -> dict[str, str]:
    name = (letter.external_id or "without id") if letter else "gone"
    return {
        "id": name,
        "fate": fate,
        "says": says,
        "signal": str(signal or ""),
        "source": letter.source.name if letter else "",
    }
