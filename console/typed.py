"""Reading JSON and numbers that a person typed, or that a form or an address carries: whatever is sent is read or
refused in words, and nothing is read that could not be kept and shown again."""

import json
from dataclasses import replace
from typing import Any

from agents.rules.errors import SpecError
from agents.rules.fit import unfit

EXACT = 18
"""How many digits of a whole number are read exactly; one of more is read as a float."""


def read_json(text: str, where: str) -> Any:
    """The JSON in `text`; SpecError, with the place of each fault, for what is none or holds what can't be
    kept; `where` names the whole."""
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_constant)
    except ValueError as error:
        raise SpecError(where, f"this is not JSON: {error}", "Mend it") from error
    except RecursionError as error:
        raise SpecError(where, "this is nested too deep to be read", "Write it flatter") from error
    if faults := unfit(value):
        raise SpecError.of(replace(fault, where=fault.where or where) for fault in faults)
    return value


def whole(text: str) -> Any:
    """A whole number where it is one, else the text, for the rules to refuse by name."""
    try:
        return int(text) if len(text) <= EXACT else text
    except ValueError:
        return text


def counted(text: str) -> int | None:
    """The number, from 0 up, that a field's key, a button or an address carries; None for anything else, and for one of
    more than nine digits, which no row, version or key has."""
    return int(text) if len(text) <= 9 and text.isdecimal() else None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= EXACT else _number(digits)


def _number(digits: str) -> float:
    if (number := float(digits)) in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:20]}… is too large a number")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
