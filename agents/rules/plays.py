"""Which play an agent chooses: an ordered list, of which the first that fits wins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from agents.rules.conditions import MATCHED, UNKNOWN, Condition, compile_condition
from agents.rules.errors import Faults, SpecError
from agents.rules.paths import Document

MAX_CHOICES = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """The slug of the play, or None, and why."""

    play: str | None
    why: str


@dataclass(frozen=True, slots=True)
class _Option:
    play: str
    condition: Condition | None
    min_score: int
    why: str


class PlayChoices:
    """A compiled list of options; made by `compile_choices`, safe to share."""

    def __init__(self, options: list[_Option]) -> None:
        self._options = options
        self.plays = tuple(dict.fromkeys(option.play for option in options))

    def choose(self, document: Document, *, score: int, confidence_pct: int) -> Choice:
        """The first option whose least score is reached and whose condition matched; a missing fact is no match.

        Conditions read the document and, beside it, `score` (0 to 100) and `confidence` (percent).
        """
        whole = {**document, "score": score, "confidence": confidence_pct}
        against: list[str] = []
        for option in self._options:
            if score < option.min_score:
                against.append(f"{option.play} is only for a score of {option.min_score} or more, and it is {score}")
                continue
            if option.condition is None:
                return Choice(option.play, option.why)
            outcome = option.condition.outcome(whole)
            if outcome is MATCHED:
                return Choice(option.play, option.why)
            words = "not known" if outcome is UNKNOWN else "not so"
            against.append(f"{option.play} is only for where {option.condition.words}, which is {words}")
        return Choice(None, "No play fits. " + "; ".join(against))


def compile_choices(spec: Any, *, plays: Collection[str] | None = None) -> PlayChoices:
    """From [{"play": slug, "when": condition or null, "min_score": 0 to 100}]. With `plays`, a slug that is not among
    them is a fault. SpecError lists all that is wrong; an empty list compiles, and chooses nothing."""
    if not isinstance(spec, list) or len(spec) > MAX_CHOICES:
        raise SpecError("plays", f"the choice of play is no list of at most {MAX_CHOICES}", 'Write [{"play": "…"}]')
    faults, options = Faults(), list[_Option]()
    for index, part in enumerate(spec):
        with faults.gather():
            options.append(_option(part, f"plays[{index}]", plays))
    faults.raise_any()
    return PlayChoices(options)


def _option(part: Any, where: str, plays: Collection[str] | None) -> _Option:
    if not isinstance(part, dict):
        raise SpecError(where, "an option is an object", 'Write {"play": "sdr_call", "when": null, "min_score": 0}')
    faults, condition = Faults(), None
    play, when, least = part.get("play"), part.get("when"), part.get("min_score", 0)
    if not isinstance(play, str) or not play:
        faults.add(f"{where}.play", "no play is named", "Choose one")
    elif plays is not None and play not in plays:
        faults.add(f"{where}.play", f"there is no play {play!r}", f"Choose one of {', '.join(sorted(plays)) or 'none'}")
    if not isinstance(least, int) or isinstance(least, bool) or not 0 <= least <= 100:
        faults.add(f"{where}.min_score", "the least score is no whole number from 0 to 100", "Give 0 for any")
    if when is not None:
        with faults.gather():
            condition = compile_condition(when, where=f"{where}.when")
    faults.raise_any()
    assert isinstance(play, str)
    reasons = [condition.words] if condition else []
    if least:
        reasons.append(f"score is at least {least}")
    return _Option(play, condition, least, f"{play}: {' and '.join(reasons) or 'fits any'}")
