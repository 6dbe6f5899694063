"""What an agent does alone, asks for, or never does.

Never beats ask beats alone, and what no clause speaks of is never done. A clause applies when everything it names
fits; what it leaves out (null) fits anything; what can't be told, such as a value nobody gave, fits a clause that asks
or says never, and does not fit one that says alone. A region or segment covers what is beneath it. The decision names
the clause, or one of Signalbox's own: "default", "unassigned", "stale", "stage:draft", "stage:supervised",
"stage:retired". docs/boundaries.md says all of it exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agents.rules.clauses import RISKS, Clause, Seen, Verdict
from agents.rules.errors import Faults
from agents.rules.facts import Facts
from agents.rules.fit import unfit
from agents.rules.policy_specs import STAGES, Limits, clause_words, read_clauses, read_limits
from agents.rules.scopes import UNASSIGNED, lineage

__all__ = ["RISKS", "STAGES", "Clause", "Decision", "Facts", "Limits", "Policy", "clause_words", "compile_policy"]

STRENGTH = {"never": 0, "ask": 1, "alone": 2}


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, the clause it comes from, and why in a sentence. `shadow`: record it, act on nothing. Where it asks:
    how many people must say yes, and which fields of the payload they may edit."""

    verdict: Verdict
    clause: str
    why: str
    shadow: bool = False
    approvers: int = 1
    editable: tuple[str, ...] = ()


class Policy:
    """
    A compiled policy; made by `compile_policy`, safe to share. `limits` are taken at the gate, not in `decide`.

    `timely`: what it says may be another at another moment, or of another recipient, so that the gate asks again.
    `reads_people`: it may be another of another recipient. `reads_fields`: an expression reads what the signal held.
    """

    def __init__(self, clauses: list[Clause], limits: Limits, names: Mapping[str, str] | None = None) -> None:
        self.clauses = tuple(clauses)
        self.limits = limits
        self.reads_fields = any(clause.when is not None for clause in clauses)
        self.reads_people = self.reads_fields or any(clause.people is not None for clause in clauses)
        self.timely = self.reads_people or any(clause.hours is not None for clause in clauses)
        ordered = sorted(clauses, key=lambda clause: (STRENGTH[clause.say], -clause.approvers))
        self._steps = [(clause, _decision(clause, names), clause.tests()) for clause in ordered]

    def clause(self, id: str) -> Clause | None:
        """The clause of this id; None for Signalbox's own and those that are not in it."""
        return next((clause for clause in self.clauses if clause.id == id), None)

    def decide(self, facts: Facts) -> Decision:
        """The decision for one action. Deterministic, and total: never raises for any facts."""
        stage = facts.stage
        if stage not in ACTING:
            return RETIRED if stage == "retired" else DRAFT
        decision = self._by_clause(facts)
        if decision.verdict == "alone":
            nowhere, nobody = facts.region in NONE, facts.segment in NONE
            if nowhere or nobody:
                decision = UNASSIGNED_ASKS[nowhere, nobody]
            elif stage == "supervised":
                decision = SUPERVISED
        return replace(decision, shadow=True) if stage == "shadow" else decision

    def _by_clause(self, facts: Facts) -> Decision:
        oldest = self.limits.max_signal_age_minutes
        if oldest is not None and facts.age_minutes > oldest:
            why = f"Never: the signal is {facts.age_minutes:.0f} minutes old, and only {oldest} are worth acting on"
            return Decision("never", "stale", why)
        regions, segments = lineage(facts.region), lineage(facts.segment)
        risk, confidence = RISKS.get(facts.risk, 2), facts.confidence_pct
        seen: Seen | None = None
        for clause, decision, tests in self._steps:
            if not clause.fits(facts.play, regions, segments, confidence, risk):
                continue
            if not tests:
                return decision
            seen = seen or Seen(facts)
            untold = ""
            for what, test in tests:
                held = test(seen)
                if held is None:
                    untold = untold or what
                elif not held:
                    break
            else:
                if not untold:
                    return decision
                if clause.say != "alone":
                    return replace(decision, why=f"{decision.why}: {untold} is not known, so it counts as fitting")
        return DEFAULT


NONE = frozenset({None, "", UNASSIGNED})
ACTING = frozenset({"shadow", "supervised", "autonomous"})
DEFAULT = Decision("never", "default", "Never: no clause allows it")
DRAFT = Decision("never", "stage:draft", "Never: the agent is a draft")
RETIRED = Decision("never", "stage:retired", "Never: the agent is retired")
SUPERVISED = Decision("ask", "stage:supervised", "Asks: the agent is supervised, so every action asks")
UNASSIGNED_ASKS = {
    (True, False): Decision("ask", "unassigned", "Asks: the region is unassigned, and that never acts alone"),
    (False, True): Decision("ask", "unassigned", "Asks: the segment is unassigned, and that never acts alone"),
    (True, True): Decision("ask", "unassigned", "Asks: region and segment are unassigned, and those never act alone"),
}


def compile_policy(
    spec: Any,
    *,
    plays: Collection[str] | None = None,
    regions: Collection[str] | None = None,
    segments: Collection[str] | None = None,
    names: Mapping[str, str] | None = None,
) -> Policy:
    """A policy from {"clauses": […], "limits": {"hourly", "daily", "account_daily", "person_daily"}, "budget":
    {"daily", "monthly"}, "quiet_hours": [{"hours", "days"}], "contact_lock_hours", "max_signal_age_minutes",
    "failure_rate_window"}; see `policy_specs`. The known plays and codes, where given, make an unknown one a fault.
    `names` gives the label of a play or code, for what a decision says.

    SpecError lists all that is wrong; where a text can't be kept (NUL, a lone surrogate), that alone. A policy without
    clauses compiles, and never does anything.
    """
    faults = Faults()
    faults.found.extend(unfit(spec))
    faults.raise_any()
    known = {"plays": plays, "regions": regions, "segments": segments}
    clauses, limits = read_clauses(spec, known, faults), read_limits(spec, faults)
    faults.raise_any()
    return Policy(clauses, limits, names)


def _decision(clause: Clause, names: Mapping[str, str] | None) -> Decision:
    verb = {"alone": "Alone", "ask": "Asks", "never": "Never"}[clause.say]
    note = f" ({clause.note})" if clause.note else ""
    why = f"{verb}: {clause_words(clause, names)}{note}"
    return Decision(clause.say, clause.id, why, approvers=clause.approvers, editable=clause.editable)
