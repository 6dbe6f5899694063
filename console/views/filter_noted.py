"""
What the entry of an export says of its filter: nothing that somebody typed and that names nothing here.

A search may be for a person, by name or address. In the record it would stay in the clear for ever, beyond the reach of
erasure, so the entry says only that there was one; the file that was taken away names it.
"""

import re
from collections.abc import Mapping
from typing import Any

from audit.words import VERBS
from console.told import NOUNS, PLACES
from console.views.audit_filter import HANDS

NOT_KEPT = "(not kept)"
NUMBERED = (PLACES.keys() - NOUNS.keys()) | {"action", "approval", "contact", "legal_hold", "token"}
"""Kinds whose keys are numbers, ids or hashes."""
_KEY = re.compile(r"[0-9]{1,9}|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REQUEST = re.compile(r"[0-9a-f-]{8,64}")


def noted(document: Mapping[str, Any]) -> dict[str, Any]:
    """The filter (`FilterForm.document`) for an entry: words, and whatever names nothing here, are NOT_KEPT."""
    return {name: value if _known(name, value) else NOT_KEPT for name, value in document.items()}


def _known(name: str, value: Any) -> bool:
    match name:
        case "since" | "until" | "run":
            return True
        case "verb" | "verbs":
            return any(verb == value or verb.startswith(value.removesuffix("*")) for verb in VERBS)
        case "regions" | "segments":
            return _there(name[:-1], value.removesuffix("/*") if isinstance(value, str) else value[0])
        case "agent" | "account":
            return _there(name, value)
        case "request":
            return bool(_REQUEST.fullmatch(value))
        case "actor" | "about" | "subject":
            return value in HANDS or value == "record:all" or _there(*value.partition(":")[::2])
    return False


def _there(kind: str, key: str) -> bool:
    """Whether `kind:key` is something of this workspace, or bears no name at all."""
    if kind in NUMBERED or kind == "person":
        return bool(_KEY.fullmatch(key))
    if kind not in NOUNS:
        return False
    model, column = NOUNS[kind]
    return model._default_manager.filter(**{column: key}).exists()
