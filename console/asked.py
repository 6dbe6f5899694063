"""A question as people read it: a sentence, the message as it would leave, and why the agent asks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils.html import strip_tags

from agents.models import Agent
from approvals.models import Approval
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
    """One approval with its agent, for templates. Everything shown comes from the frozen question."""

    approval: Approval
    agent: Agent | None

    @property
    def question(self) -> dict[str, Any]:
        return self.approval.question

    @property
    def payload(self) -> dict[str, Any]:
        return self.question.get("payload") or {}

    @property
    def is_mail(self) -> bool:
        return {"to", "subject", "text"} <= self.payload.keys()

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
        person, target = self.question.get("person", ""), self.question["target"]
        if self.is_mail:
            to = f"{person} at {self.question['account']}" if person and person != target else target
            return f"Send “{self.payload['subject']}” to {to}"
        account = self.question["account"]
        to = f"{person} at {account}" if person and account else person or account or target
        return f"{self.question['play']} ({self.question['step'].replace('_', ' ').replace('-', ' ')}) for {to}"

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


def asked(approvals: Iterable[Approval]) -> Iterator[Asked]:
    """Each approval with its agent and owner; one query for all of them."""
    rows = list(approvals)
    agents = {
        agent.slug: agent
        for agent in Agent.objects.filter(slug__in={row.agent for row in rows}).select_related("owner", "deputy")
    }
    return (Asked(row, agents.get(row.agent)) for row in rows)
