"""
What every entry carries without its writer's doing: the request or task under way, and the token it came with.

Whoever takes up a request or a task says so (`carrying`); `audit.entries` asks once for any number of lines.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.entries import Line


class _Under:
    """What is under way. One object a request, so that what is found out on the way reaches all that follows."""

    __slots__ = ("request", "token")

    def __init__(self, request: str) -> None:
        self.request, self.token = request, ""


_under: ContextVar[_Under | None] = ContextVar("signalbox_under", default=None)


@contextmanager
def carrying(request: str) -> Iterator[None]:
    """Entries written inside, in this thread or task, carry `request` unless they name another."""
    before = _under.set(_Under(request))
    try:
        yield
    finally:
        _under.reset(before)


def through(token: str) -> None:
    """From here to the end of the request, a program acts for the person whom entries name: by this token:<id>."""
    if under := _under.get():
        under.token = token


def carried(lines: "Sequence[Line]") -> "Sequence[Line]":
    """`lines` with what is under way."""
    under = _under.get()
    if under is None:
        return lines
    if not under.token:
        return [line if line.request else line._replace(request=under.request) for line in lines]
    more = {"token": under.token}
    return [line._replace(request=line.request or under.request, detail={**line.detail, **more}) for line in lines]
