"""Scorecards: weighted criteria over a document, each with its reason.

score       matched weight of the total weight, in percent, rounded half up.
confidence  min(0.99, score/100 + confidence_offset) × (weight of the criteria whose facts were present ÷ total weight),
            never below 0, cut (not rounded) to a whole percent, so that a bound is never passed by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents.rules.conditions import MATCHED, UNKNOWN, Condition, compile_condition
from agents.rules.errors import Faults, SpecError
from agents.rules.history import cites
from agents.rules.paths import Document
from agents.rules.reasons import Reason

KINDS = ("fit", "intent", "recency")
MAX_CRITERIA = 100
MAX_WEIGHT = 1000
HIGHEST_CONFIDENCE = 99


@dataclass(frozen=True, slots=True)
class Result:
    """`score` 0 to 100, `confidence_pct` 0 to 99, the reasons with the heaviest first, and whether the score reaches
    the scorecard's threshold."""

    score: int
    confidence_pct: int
    reasons: list[Reason]
    reached: bool

    @property
    def confidence(self) -> float:
        """0 to 0.99."""
        return self.confidence_pct / 100


@dataclass(frozen=True, slots=True)
class _Criterion:
    key: str
    label: str
    kind: str
    weight: int
    condition: Condition
    history: bool


class Scorecard:
    """A compiled scorecard; made by `compile_scorecard`, safe to share."""

    def __init__(self, criteria: list[_Criterion], threshold: int, offset_pct: int) -> None:
        self.threshold = threshold
        self._criteria = sorted(criteria, key=lambda c: -c.weight)
        self._steps = [(c, c.condition.probe, c.condition.words, _unknown_words(c.condition)) for c in self._criteria]
        self._total = sum(c.weight for c in criteria)
        self._offset_pct = offset_pct

    def score(self, document: Document) -> Result:
        """The result for {"signal", "account", "history"}. Reasons about history cite `history.last`'s runs."""
        matched = known = 0
        reasons: list[Reason] = []
        for criterion, probe, words, unknown in self._steps:
            outcome, fact = probe(document)
            weight = criterion.weight
            value = short(fact)
            if outcome is MATCHED:
                matched += weight
                known += weight
                why = words
            elif outcome is UNKNOWN:
                why = unknown
            else:
                known += weight
                why = "not so: " + words
            reason: Reason = {
                "key": criterion.key,
                "label": criterion.label,
                "kind": criterion.kind,
                "weight": weight,
                "outcome": outcome,
                "value": value,
                "why": why,
            }
            if criterion.history and outcome is not UNKNOWN:
                runs = cites(document.get("history") or {})
                if runs:
                    reason["cites"] = runs
            reasons.append(reason)
        total = self._total
        score = (200 * matched + total) // (2 * total)
        confidence = max(0, min(HIGHEST_CONFIDENCE, score + self._offset_pct)) * known // total
        return Result(score, confidence, reasons, score >= self.threshold)


def compile_scorecard(spec: Any) -> Scorecard:
    """A scorecard from {"criteria": [{"key", "label", "condition", "weight", "kind"}], "threshold": 0 to 100 (0 when
    left out), "confidence_offset": −1 to 1 (0 when left out)}. SpecError lists all that is wrong."""
    if not isinstance(spec, dict) or not isinstance(spec.get("criteria"), list) or not spec["criteria"]:
        raise SpecError("criteria", "there are no criteria", "Add at least one criterion with a weight")
    faults, criteria, seen = Faults(), list[_Criterion](), set[str]()
    if len(spec["criteria"]) > MAX_CRITERIA:
        faults.add("criteria", f"more than {MAX_CRITERIA} criteria", "Merge those that say the same")
    for index, part in enumerate(spec["criteria"][:MAX_CRITERIA]):
        with faults.gather():
            criterion = _criterion(part, f"criteria[{index}]")
            if criterion.key in seen:
                faults.add(f"criteria[{index}].key", f"{criterion.key} is used twice", "Give it another key")
            seen.add(criterion.key)
            criteria.append(criterion)
    threshold, offset = spec.get("threshold", 0), spec.get("confidence_offset", 0)
    if not _whole(threshold, 0, 100):
        faults.add("threshold", "the threshold is no whole number from 0 to 100", "Give the least score to act on")
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not -1 <= offset <= 1:
        faults.add("confidence_offset", "the offset is no number from -1 to 1", "Give 0.1 to add ten percent")
        offset = 0
    faults.raise_any()
    return Scorecard(criteria, threshold, round(offset * 100))


def _criterion(part: Any, where: str) -> _Criterion:
    if not isinstance(part, dict):
        raise SpecError(where, "a criterion is an object", "Give it a key, a label, a condition, a weight and a kind")
    faults, condition = Faults(), None
    key, label, kind, weight = part.get("key"), part.get("label"), part.get("kind", "fit"), part.get("weight")
    if not isinstance(key, str) or not key.strip():
        faults.add(f"{where}.key", "the key is missing", "Give it a short name, such as size")
    if label is not None and not isinstance(label, str):
        faults.add(f"{where}.label", "the label is not text", "Say in a few words what is looked for")
    if kind not in KINDS:
        faults.add(f"{where}.kind", f"there is no kind {kind!r}", f"Use one of {', '.join(KINDS)}")
    if not _whole(weight, 1, MAX_WEIGHT):
        faults.add(f"{where}.weight", f"the weight is no whole number from 1 to {MAX_WEIGHT}", "Give 10, for instance")
    with faults.gather():
        condition = compile_condition(part.get("condition"), where=f"{where}.condition")
    faults.raise_any()
    assert isinstance(key, str)
    assert isinstance(weight, int)
    assert condition is not None
    about_history = any(field.startswith("history.") for field in condition.fields)
    return _Criterion(key.strip(), label or key, kind, weight, condition, about_history)


def short(fact: Any) -> str:
    """A fact in at most 80 characters, for a reason."""
    kind = type(fact)
    if isinstance(fact, str):
        return fact if len(fact) <= 80 else fact[:79] + "…"
    if fact is None:
        return ""
    if kind is bool:
        return "true" if fact else "false"
    if kind is int or kind is float:
        return str(fact)[:80]
    if kind is list:
        return short(", ".join(short(item) for item in fact[:5]) + (", …" if len(fact) > 5 else ""))
    return "…"


def _unknown_words(condition: Condition) -> str:
    return f"not known: {', '.join(condition.fields)}"


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
