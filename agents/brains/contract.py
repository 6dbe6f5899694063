"""What every brain promises: from a document and the plays an agent may choose, a score with reasons and one play."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agents.rules.paths import Document
from agents.rules.plays import PlayChoices
from agents.rules.reasons import Reason
from agents.rules.scoring import Scorecard


@dataclass(frozen=True, slots=True)
class Thought:
    """What a brain makes of one signal. `score` 0 to 100, `confidence_pct` 0 to 99, `reasons` heaviest first, `play` a
    slug out of the choices or None, `why` that play; `brain` and `version` say who thought it."""

    score: int
    confidence_pct: int
    reasons: list[Reason]
    play: str | None
    why: str
    brain: str
    version: str


class Brain(Protocol):
    """A brain that is `networked` runs under a committed lease, never inside a transaction; one that is not is pure:
    the same document gives the same thought."""

    name: str
    version: str
    networked: bool

    def decide(self, document: Document, *, scorecard: Scorecard, choices: PlayChoices) -> Thought:
        """The thought on {"signal", "account", "history"}; reads the document, changes nothing."""
        ...
