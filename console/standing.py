"""Standing pauses with what is still in them, in words: the strip, the board, a pause's page, the terminal, the API."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents import reach
from agents.models import Pause
from agents.sections import Section


@dataclass(frozen=True)
class Held:
    """A standing pause with what is still in it."""

    pause: Pause
    reach: reach.Reach

    @property
    def state(self) -> str:
        """`pausing`, `paused` or `resuming`. Paused only once nothing that passed the gate before is under way."""
        if self.pause.share:
            return "resuming"
        return "pausing" if self.reach.in_flight else "paused"

    @property
    def words(self) -> str:
        return reach.words(self.pause, self.reach)


def held_now(pauses: Sequence[Pause] | None = None, *states: str) -> list[Held]:
    """Every pause in force, newest first, with its reach (of `states`, else all). The pauses are read before the work,
    so that what is under way in one that closed is never overlooked."""
    found = list(Pause.objects.standing() if pauses is None else pauses)
    work = reach.open_work(*states) if found else []
    return [Held(pause, reach.reach(Section.of(pause), work)) for pause in found]
