"""A mail server that keeps what it gets: real SMTP on loopback, in a thread of its own."""

import asyncio
import email
import email.policy
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from tests.connectors.relay import Handler, Relays


class Mails(Handler):
    """`port` is where it listens."""

    port: int

    def messages(self) -> list[tuple[list[str], EmailMessage]]:
        """(recipients, message) of everything delivered."""
        return [
            (envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default))
            for envelope in self.delivered
        ]


@contextmanager
def mail_server() -> Iterator[Mails]:
    """Running for as long as the block does."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    loop, mails, relays = asyncio.new_event_loop(), Mails(), Relays()
    thread = threading.Thread(target=loop.run_forever, name="mails", daemon=True)
    thread.start()
    mails.port = asyncio.run_coroutine_threadsafe(relays.polite(mails), loop).result(10)
    try:
        yield mails
    finally:
        asyncio.run_coroutine_threadsafe(relays.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
