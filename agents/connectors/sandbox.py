"""The sandbox: delivers into Signalbox itself, clearly marked, so that everything runs before anything is connected."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from agents.connectors.addresses import AddressRules
from agents.connectors.contract import (
    Answer,
    BadPayload,
    CannotTell,
    Found,
    NotFound,
    Outgoing,
    Verdict,
    boottime,
    one_line,
    slots_for,
)
from agents.connectors.fields import ConfigError, Field, read


class SandboxConnector:
    """The attempt's receipt is the delivery: `{"sandbox": true, "message": payload}`."""

    kind: ClassVar[str] = "sandbox"
    label: ClassVar[str] = "Sandbox"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("delay_ms", "Delay (ms)", "How long each takes.", "number", default=0.0, low=0, high=60_000),
        Field("fail_percent", "Failures (%)", "How many are made to fail.", "number", default=0.0, low=0, high=100),
    )
    payload_fields: ClassVar[tuple[Field, ...]] = (
        Field("to", "To", "Whom it would reach."),
        Field("subject", "Subject", "What it would be about."),
        Field("text", "Text", "What it would say.", "long"),
        Field("json", "Data", "What it would send.", "json"),
    )
    idempotent = True
    lookup_after: float | None = None
    can_undo = True

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, Any], *, allow: AddressRules) -> None:
        values, problems = read(self.fields, config, secrets)
        if problems:
            raise ConfigError(problems)
        self._delay = values["delay_ms"] / 1000
        self._fail_percent = values["fail_percent"]
        self.timeout = self._delay + 5
        self.slots = slots_for(idempotent=self.idempotent, lookup_after=self.lookup_after)

    def check(self, payload: Mapping[str, Any]) -> None:
        """See Connector.check."""
        if not payload.keys() & {"text", "json", "undo"}:
            raise BadPayload("a sandbox step has a text or json")

    async def send(self, out: Outgoing) -> Answer:
        """See Connector.send. Which actions fail follows from their ids alone."""
        started = time.perf_counter()
        verdict, detail, receipt = self._outcome(out)
        if verdict is not Verdict.EXPIRED and self._delay:
            if self._delay > out.timeout:
                await asyncio.sleep(out.timeout)
                verdict, detail, receipt = Verdict.UNKNOWN, "sandbox: it took too long", {}
            else:
                await asyncio.sleep(self._delay)
        ms = round((time.perf_counter() - started) * 1000)
        return Answer(verdict=verdict, status=None, detail=one_line(detail), ms=ms, receipt=receipt)

    def _outcome(self, out: Outgoing) -> tuple[Verdict, str, dict[str, Any]]:
        if boottime() > out.permit_until:
            return Verdict.EXPIRED, "the permit had passed before anything was written", {}
        try:
            self.check(out.payload)
        except BadPayload as fault:
            return Verdict.FAILED, f"nothing was sent: {fault}", {}
        if self._fail_percent and _percentile(out.action_id) < self._fail_percent:
            return Verdict.FAILED, "sandbox: made to fail", {"sandbox": True}
        return Verdict.DELIVERED, "sandbox: nothing left Signalbox", {"sandbox": True, "message": out.payload}

    async def lookup(self, action_id: UUID) -> Found | NotFound | CannotTell:
        """The sandbox keeps nothing but receipts."""
        return CannotTell("the sandbox can't be asked")

    def undo_payload(self, *, action_id: UUID, payload: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
        """A message that takes the other back."""
        if not receipt.get("sandbox"):
            raise BadPayload("there is no receipt from the sandbox to take back")
        return {"undo": str(action_id), "text": "Taken back."}

    async def test(self) -> Answer:
        """Always in order."""
        return Answer(verdict=Verdict.DELIVERED, status=None, detail="the sandbox is always there", ms=0)

    async def close(self) -> None:
        """Nothing is held."""


def _percentile(action_id: UUID) -> float:
    return int.from_bytes(hashlib.sha256(action_id.bytes).digest()[:8], "big") % 10_000 / 100
