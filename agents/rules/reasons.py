"""The shape of one reason of a run."""

from __future__ import annotations

from typing import TypedDict

from agents.rules.conditions import Outcome


class Reason(TypedDict, total=False):
    """Why a score is what it is: one criterion, what came of it, and the fact that decided (at most 80 characters).
    `cites` holds the ids of earlier runs that the fact comes from."""

    key: str
    label: str
    kind: str
    weight: int
    outcome: Outcome
    value: str
    why: str
    cites: list[str]
