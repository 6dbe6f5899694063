"""What every connector promises, and the words it answers in. To add one: copy `sandbox.py`, enter it in `registry`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from uuid import UUID

from agents.connectors.addresses import AddressRules
from agents.connectors.fields import Field

SLOTS = 32
SLOTS_BLIND = 8
DETAIL_LIMIT = 500
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Seconds on the clock permits are measured on: CLOCK_BOOTTIME, which also runs while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


def one_line(text: str, limit: int = DETAIL_LIMIT) -> str:
    """`text` as one printable line of at most `limit` characters, safe to store in PostgreSQL."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    text = text[: 4 * limit].encode("utf-8", "replace").decode()
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Verdict(StrEnum):
    """
    What is known after an attempt.

    FAILED is permanent. RETRY and UNSENT are known not to have taken effect: UNSENT since nothing was written, RETRY
    since the far side said so. UNKNOWN may have taken effect. EXPIRED: the permit passed before anything was written.
    """

    DELIVERED = "delivered"
    FAILED = "failed"
    RETRY = "retry"
    UNSENT = "unsent"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One permitted attempt. `payload` is rendered and its hash checked; past `permit_until` nothing may be written."""

    action_id: UUID
    attempt_id: UUID
    payload: dict[str, Any]
    permit_until: float
    """Seconds on `boottime()`."""
    timeout: float
    """Seconds for the whole attempt, from the call of `send`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. `detail` is one line without secrets; `receipt` is small and fit for JSONB."""

    verdict: Verdict
    status: int | None
    detail: str
    ms: int
    retry_after: float | None = None
    receipt: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The far side has it."""

    receipt: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotFound:
    """The far side says it has not."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """No answer that settles it, and why."""

    detail: str


class BadPayload(ValueError):
    """The payload is not what the connector sends; its text says which field and what is wrong with it."""


class Connector(Protocol):
    """
    One configured way out, made once and used by one event loop.

    `__init__` does no I/O and raises `ConfigError` with every problem found. `send`, `lookup` and `test` never raise
    (but for cancellation) and never resend. The gate keeps at most `slots` attempts in flight.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    """What the form for a connection asks for; secret ones go to `secrets`, the others to `config`."""
    payload_fields: ClassVar[tuple[Field, ...]]
    """What a play's step gives it."""

    idempotent: bool
    lookup_after: float | None
    """Seconds after which `lookup`'s NotFound may be believed; None when the far side cannot be asked."""
    can_undo: bool
    slots: int
    timeout: float
    """Seconds an attempt should be given."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, Any], *, allow: AddressRules) -> None: ...

    def check(self, payload: Mapping[str, Any]) -> None:
        """Raises BadPayload where `send` would send nothing of such a payload. No I/O."""

    async def send(self, out: Outgoing) -> Answer:
        """Make the attempt, by I1's table."""

    async def lookup(self, action_id: UUID) -> Found | NotFound | CannotTell:
        """Ask the far side whether an attempt for this action took effect."""

    def undo_payload(self, *, action_id: UUID, payload: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
        """The payload that takes back what `action_id` did. Raises BadPayload where that can't be said."""

    async def test(self) -> Answer:
        """A harmless check that the way out works: DELIVERED, or what stands in the way."""

    async def close(self) -> None:
        """Give up connections; afterwards the connector can be used again."""


def slots_for(*, idempotent: bool, lookup_after: float | None) -> int:
    """How many attempts may be in flight: few where nothing can tell what became of them."""
    return SLOTS if idempotent or lookup_after is not None else SLOTS_BLIND
