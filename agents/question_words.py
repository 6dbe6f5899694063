"""What a question asks, in one sentence: for pages, mails and the record's readers."""

from typing import Any


def sentence(question: dict[str, Any]) -> str:
    """What a yes does, to whom, without the question mark; from the frozen question alone."""
    payload = question.get("payload") or {}
    person, target, account = question.get("person", ""), question["target"], question["account"]
    if is_mail(payload):
        to = f"{person} at {account}" if person and person != target else target
        return f"Send “{payload['subject']}” to {to}"
    to = f"{person} at {account}" if person and account else person or account or target
    return f"{question['play']} ({question['step'].replace('_', ' ').replace('-', ' ')}) for {to}"


def is_mail(payload: dict[str, Any]) -> bool:
    """Whether what would be sent reads as a mail."""
    return {"to", "subject", "text"} <= payload.keys()
