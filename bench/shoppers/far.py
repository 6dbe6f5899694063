"""The far sides: an HTTP receiver and an SMTP server that keep, of all they got, which action it was for."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.controller import Controller

from console.engines import ports
from tests.hostile.receiver import Receiver


@dataclass
class Mailbox:
    """What the SMTP server took, by the action that the message names."""

    counts: Counter[str] = field(default_factory=Counter)
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Called by aiosmtpd for each message that has come whole."""
        self.counts[BytesHeaderParser().parsebytes(envelope.content)["X-Signalbox-Action"]] += 1
        return "250 2.0.0 queued"


@contextmanager
def far_sides() -> Iterator[tuple[Receiver, Mailbox]]:
    """Both, on this machine, for as long as the block runs."""
    mailbox = Mailbox(port=ports.free_port())
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        with Receiver() as receiver:
            yield receiver, mailbox
    finally:
        controller.stop()
