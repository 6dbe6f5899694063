"""From a play's step to the bytes of one message to one person, with nothing in a header but what belongs there."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from email_validator import EmailNotValidError, validate_email

from agents.connectors.contract import BadPayload
from agents.connectors.fields import Field

PAYLOAD_FIELDS = (
    Field("to", "To", "One address.", required=True),
    Field("subject", "Subject", "One line.", required=True),
    Field("text", "Text", "The message as plain text.", "long", required=True),
    Field("html", "HTML", "The same for readers that show HTML.", "long"),
    Field("reply_to", "Answers go to", "The agent's owner, unless another address is given."),
    Field("unsubscribe_url", "Unsubscribe link", "Set by Signalbox: one click there and no more is sent."),
)

# 7bit: encoded so that a server without 8BITMIME passes it on too.
_POLICY = SMTP.clone(cte_type="7bit")
_URL = re.compile(r"https?://[!#-;=?-\[\]_a-z~A-Z]{1,1500}")
_SUBJECT_LIMIT = 500
_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Sender:
    """From whom: `address` as `addr-spec` in ASCII; `reply_to` may be empty."""

    address: str
    name: str
    reply_to: str

    @property
    def domain(self) -> str:
        """The part after the @."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to be written after DATA (its lines end in CRLF, dots not yet doubled)."""

    to: str
    message_id: str
    data: bytes


def address(text: Any) -> str:
    """
    The one address that `text` is, in ASCII. Raises BadPayload for a list, a name with it, or a fault.

    An encoded word (RFC 2047) is a fault: it means nothing there, yet some mail servers read one.
    """
    if not isinstance(text, str) or not text.isprintable() or len(text) > 254 or "=?" in text:
        raise BadPayload("it is not one e-mail address")
    try:
        found = validate_email(
            text.strip(), check_deliverability=False, allow_smtputf8=False, globally_deliverable=False, strict=True
        ).ascii_email
    except EmailNotValidError as fault:
        raise BadPayload(f"it is not one e-mail address ({fault})") from None
    if not found:
        raise BadPayload("it is not one e-mail address")
    return found


def compose(payload: Mapping[str, Any], *, action_id: UUID, sender: Sender) -> Message:
    """The message for a step's `to, subject, text, html?, reply_to?, unsubscribe_url?`. Raises BadPayload."""
    if unknown := payload.keys() - {field.name for field in PAYLOAD_FIELDS}:
        raise BadPayload(f"{min(unknown)}: an e-mail step has no such field")
    to = _named("to", address, payload.get("to"))
    reply_to = _named("reply_to", address, payload["reply_to"]) if payload.get("reply_to") else sender.reply_to
    subject = _named("subject", _subject, payload.get("subject"))
    message = EmailMessage(policy=_POLICY)
    message.set_content(_named("text", _text, payload.get("text")))
    if payload.get("html"):
        message.add_alternative(_named("html", _text, payload["html"]), subtype="html")
    message_id = f"<{action_id}@{sender.domain}>"
    # By hand: EmailMessage reads encoded words (RFC 2047) in what it is given, line breaks in them and all, and folds
    # long links.
    lines = [f"Message-ID: {message_id}", f"Date: {formatdate()}", f"X-Signalbox-Action: {action_id}"]
    lines += [f"From: {_name(sender.name)}<{sender.address}>", f"To: {to}", f"Subject: {_words(subject, 'Subject')}"]
    if reply_to:
        lines.append(f"Reply-To: {reply_to}")
    if link := payload.get("unsubscribe_url"):
        lines.append(f"List-Unsubscribe: <{_named('unsubscribe_url', _link, link)}>")
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
    return Message(to=to, message_id=message_id, data=head + message.as_bytes())


def _named(name: str, check: Any, value: Any) -> Any:
    try:
        return check(value)
    except BadPayload as fault:
        raise BadPayload(f"{name}: {fault}") from None


def _subject(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadPayload("it is missing")
    if len(text) > _SUBJECT_LIMIT:
        raise BadPayload("it is too long")
    line = text.strip().replace("\t", " ")
    if any(unicodedata.category(c) in _BREAKS for c in line):
        raise BadPayload("it holds a line break or another control character")
    return line


def _words(text: str, header: str) -> str:
    """One line of at most 500 characters as a header's value, which whoever reads it takes for just that text."""
    if text.isascii() and "=?" not in text:
        return text
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


def _name(name: str) -> str:
    if not name:
        return ""
    if name.isascii() and "=?" not in name:
        return '"{}" '.format(name.replace("\\", "\\\\").replace('"', '\\"'))
    return _words(name, "From") + " "


def _text(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise BadPayload("it is missing")
    if "\0" in text:
        raise BadPayload("it holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadPayload("it holds half a character") from None
    return text


def _link(text: Any) -> str:
    if not isinstance(text, str) or not _URL.fullmatch(text) or not urlsplit(text).hostname:
        raise BadPayload("it is not a plain https address")
    return text
