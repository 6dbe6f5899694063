"""A question as people read it: a sentence, the message as it would leave, and why the agent asks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from agents.hindrances import Hindrance, hindrances
from agents.models import Agent
from agents.question_words import is_mail, sentence
from approvals.models import Approval, Person, Verdict
from approvals.questions import TAKEN_BACK

REASONS = {
    "wrong-person": "Wrong person",
    "bad-timing": "Bad timing",
    "wrong-message": "Message is off",
    "already-handled": "Already in hand",
    "not-a-fit": "Not a fit",
    "other": "Something else",
}
"""Why a person says no: a code, and how it reads."""
LOOKS = {
    "matched": {"order": 0, "look": "live", "glyph": "✓", "word": "Matched"},
    "not_matched": {"order": 1, "look": "failed", "glyph": "✗", "word": "Missed"},
    "missing": {"order": 2, "look": "quiet", "glyph": "?", "word": "Not known"},
}


@dataclass(frozen=True)
class Asked:
    """
    One approval for templates: with its agent, the yeses so far, and what would hold it now.

    What is asked comes from the frozen question alone.
    """

    approval: Approval
    agent: Agent | None
    yeses: Sequence[Person] = ()
    hindrances: Sequence[Hindrance] = ()
    person: Person | None = None

    @property
    def question(self) -> dict[str, Any]:
        return self.approval.question

    @property
    def payload(self) -> dict[str, Any]:
        return self.question.get("payload") or {}

    @property
    def is_mail(self) -> bool:
        return is_mail(self.payload)

    @property
    def html_words(self) -> str:
        """The HTML part's words, where there is one; its source is shown beside them."""
        return " ".join(strip_tags(str(self.payload.get("html") or "")).split())

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What would be sent, as (path, value), whole; nested parts by their path."""
        return list(_flat(self.payload.get("json", self.payload)))

    @property
    def sentence(self) -> str:
        """What a yes does, to whom, without the question mark."""
        return sentence(self.question)

    @property
    def whom(self) -> str:
        """Whom it reaches, by name where there is one."""
        person, account = self.question.get("person", ""), self.question["account"]
        return f"{person} at {account}" if person and account else person or self.question["target"]

    @property
    def action(self) -> UUID:
        """The action that is asked about."""
        return UUID(self.approval.subject.partition(":")[2])

    @cached_property
    def editable(self) -> list[tuple[str, str]]:
        """What an approver may edit, as (path in the payload, its text now)."""
        found = [(path, _at(self.payload, path)) for path in self.approval.editable]
        return [(path, text) for path, text in found if isinstance(text, str)]

    @property
    def missing(self) -> int:
        """How many more people have to say yes."""
        return max(0, self.approval.needed - len(self.yeses))

    @property
    def said_yes(self) -> bool:
        """Whether the person who looks said yes to it."""
        return self.person is not None and any(one.pk == self.person.pk for one in self.yeses)

    @property
    def yes_words(self) -> str:
        """How many of those needed have said yes, and who."""
        names = ", ".join(one.name for one in self.yeses)
        return f"{len(self.yeses)} of {self.approval.needed} said yes" + (f": {names}" if names else "")

    @property
    def shown(self) -> int:
        """Now, in ms since 1970: posted back with the answer, so that it is known how long the person could look."""
        return int(timezone.now().timestamp() * 1000)

    @property
    def hindered(self) -> str:
        """What is in the way of a yes, in a few words."""
        kinds = {one.kind for one in self.hindrances}
        if "list" in kinds:
            return "not to be contacted"
        return "another agent is in touch" if "lock" in kinds else "paused"

    @property
    def policy_href(self) -> str:
        """The version of the boundaries that asks, at the clause."""
        if not (self.agent and self.question.get("policy")):
            return ""
        version = reverse("agent-policy-version", args=[self.agent.slug, self.question["policy"]])
        return f"{version}#clause-{self.question.get('clause', '')}"

    @property
    def frozen(self) -> bool:
        """Whether a pause holds it, and with it its deadline."""
        return any(one.kind == "pause" for one in self.hindrances)

    @property
    def called_next(self) -> Person | None:
        """Who is called if nobody answers by `approval.next_at`: the deputy, then the owner."""
        if self.agent is None or self.approval.next_at is None or self.approval.next_at <= timezone.now():
            return None
        return (self.agent.deputy if self.approval.step == 0 else None) or self.agent.owner

    @cached_property
    def reasons(self) -> list[dict[str, Any]]:
        """Every reason of the score, with its look: what matched, what did not, what is not known; heaviest first."""
        found = [{**one, **LOOKS.get(one["outcome"], LOOKS["missing"])} for one in self.question.get("reasons") or []]
        return sorted(found, key=lambda one: (one["order"], -one["weight"]))

    @property
    def score_words(self) -> str:
        """The score in one line, for where its reasons are folded."""
        matched = sum(one["outcome"] == "matched" for one in self.reasons)
        return f"Score {self.question['score']}: {matched} of {len(self.reasons)} criteria matched"

    @property
    def risk_words(self) -> str:
        return f"{self.approval.risk.capitalize()} risk"

    @property
    def signal_at(self) -> datetime:
        return datetime.fromisoformat(self.question["signal_at"])

    @property
    def binding(self) -> str:
        return bytes(self.approval.binding).hex()

    @property
    def took(self) -> Any:
        """How long it waited for its answer."""
        return self.approval.decided_at - self.approval.opened_at if self.approval.decided_at else None

    @property
    def because(self) -> str:
        """The reason of a no, as it reads."""
        return {**REASONS, TAKEN_BACK: "Taken back"}.get(self.approval.reason, self.approval.reason)

    @property
    def verdict(self) -> str:
        """What became of the question, in a sentence; empty while it waits."""
        by = self.approval.decided_by.name if self.approval.decided_by else "Nobody"
        if self.approval.reason == TAKEN_BACK:
            return f"{by} took their yes back before it left, so nothing was sent."
        return {
            "approved": f"{by} said yes to exactly this.",
            "rejected": f"{by} said no: {self.because[:1].lower()}{self.because[1:]}.",
            "expired": "Nobody answered in time, so nothing was sent. Nobody rejected it.",
            "withdrawn": f"The question was withdrawn: {self.approval.note}",
        }.get(self.approval.state, "")


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{path} {number}".strip())
    else:
        yield path or "value", "" if value is None else str(value)


def _at(payload: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(payload, Mapping):
            payload = payload.get(part)
        elif isinstance(payload, list) and part.isdecimal() and int(part) < len(payload):
            payload = payload[int(part)]
        else:
            return None
    return payload


def asked(approvals: Iterable[Approval], person: Person | None = None) -> Iterator[Asked]:
    """Each approval as `person` is shown it: with its agent, its yeses and what would hold it; a query for each."""
    rows = list(approvals)
    agents = {
        agent.slug: agent
        for agent in Agent.objects.filter(slug__in={row.agent for row in rows}).select_related("owner", "deputy")
    }
    several = [row.pk for row in rows if row.needed > 1]
    yeses: dict[UUID, list[Person]] = {}
    if several:
        found = Verdict.objects.filter(approval__in=several, said="yes", voided_at=None).select_related("person")
        for verdict in found.order_by("at"):
            yeses.setdefault(verdict.approval_id, []).append(verdict.person)
    waiting = [Asked(row, None).action for row in rows if row.state == "waiting"]
    held = hindrances(waiting) if waiting else {}
    for row in rows:
        one = Asked(row, agents.get(row.agent), yeses.get(row.pk, ()), (), person)
        yield Asked(row, one.agent, one.yeses, held.get(one.action, ()), person)
