"""Resolving what a payload says of a region or segment to a code that is known here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agents.rules.errors import Fault
from agents.rules.scopes import UNASSIGNED
from agents.rules.text import as_label

MAX_REMEMBERED = 2000


def fold(text: str) -> str:
    """Case, surrounding space, and the difference between "mid market", "mid_market" and "mid-market" taken out."""
    return text.strip().casefold().replace("_", "-").replace(" ", "-")


class Codes:
    """The known codes with a source's own words for them.

    In order: the source's map, a known code itself, the last part of exactly one known code ("DE" → "emea/de"), the
    map's "*". Anything else is unassigned (None), with a note saying how to mend it.
    """

    def __init__(self, noun: str, *, known: Collection[str], chosen: Mapping[str, str]) -> None:
        self.noun = noun
        self.warnings: list[Fault] = []
        self._known = {fold(code): code for code in known}
        leaves: dict[str, list[str]] = {}
        for code in known:
            leaves.setdefault(fold(code.rpartition("/")[2]), []).append(code)
        self._codes = {leaf: codes[0] for leaf, codes in leaves.items() if len(codes) == 1} | self._known
        self._chosen = {fold(said): self.resolve(code, where=f"{noun}_map.{said}") for said, code in chosen.items()}
        self._remembered: dict[str, tuple[str | None, str | None]] = {}

    def resolve(self, code: str, *, where: str) -> str | None:
        """The known code (or "unassigned") for one named in a spec; None, and a warning, when there is none."""
        folded = fold(code)
        found = UNASSIGNED if folded == UNASSIGNED else self._known.get(folded)
        if found is None:
            what = f"{code!r} is not a known {self.noun}"
            self.warnings.append(Fault(where, what, f"Choose an existing {self.noun}, or add it first"))
        return found

    def find(self, said: Any) -> tuple[str | None, str | None]:
        """The code for what a payload says, and a note when there is none."""
        if type(said) is str and (known := self._remembered.get(said)) is not None:
            return known
        label = as_label(said)
        answer = self._look_up(label) if label else (None, None)
        if type(said) is str and len(self._remembered) < MAX_REMEMBERED and len(said) <= 200:
            self._remembered[said] = answer
        return answer

    def _look_up(self, label: str) -> tuple[str | None, str | None]:
        folded = fold(label)
        if folded in self._chosen:
            code = self._chosen[folded]
        else:
            code = UNASSIGNED if folded == UNASSIGNED else self._codes.get(folded) or self._chosen.get("*")
        if code is None:
            note = f"The {self.noun} {label[:60]!r} is not known, so it is unassigned"
            return None, f"{note}: add it to the mapping's {self.noun} map."
        return (None if code == UNASSIGNED else code), None
