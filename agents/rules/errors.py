"""What is wrong with a spec, every fault with its place, so that a form can show each where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: its place in the spec ("criteria[2].weight"), what it is, and how to mend it."""

    where: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.mend}"


class SpecError(ValueError):
    """A spec that cannot be compiled. `faults` lists all that is wrong with it, never only the first."""

    def __init__(self, where: str, what: str, mend: str) -> None:
        self.faults = [Fault(where, what, mend)]
        super().__init__(str(self.faults[0]))

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> SpecError:
        """One error out of many faults (at least one)."""
        found = list(faults)
        error = cls(found[0].where, found[0].what, found[0].mend)
        error.faults = found
        error.args = ("\n".join(map(str, found)),)
        return error


class Faults:
    """Gathers faults while a spec is compiled; `raise_any` ends it with one SpecError if there were any."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, where: str, what: str, mend: str) -> None:
        self.found.append(Fault(where, what, mend))

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Inside it a SpecError is noted and compiling goes on after the block."""
        try:
            yield
        except SpecError as error:
            self.found.extend(error.faults)

    def raise_any(self) -> None:
        if self.found:
            raise SpecError.of(self.found)
