"""How a fact is compared with a value: one small maker of tests for each op.

A test answers True, False, or None when the fact cannot be read as what is compared (text where a number is needed).
Text is compared without regard to case and surrounding spaces. When the value is a number, a fact given as text
("1200") is read as one; likewise "TRUE" when it is a boolean. No op takes a regular expression.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Number = int | float
Test = Callable[[Any], bool | None]
Maker = Callable[[Any], Test]

MAX_LIST = 1000
BOOLEANS = {"true": True, "false": False}


class BadValue(ValueError):
    """The value of a condition does not suit its op; the message says how to mend it."""


def as_number(fact: Any) -> Number | None:
    """The fact as a finite number, or None. Booleans are not numbers; "1_000" and "1,000" are not either."""
    kind = type(fact)
    if kind is int:
        return fact  # type: ignore[no-any-return]
    if kind is float:
        return fact if math.isfinite(fact) else None
    if kind is not str or len(fact) > 40 or "_" in fact:
        return None
    try:
        return int(fact)
    except ValueError:
        pass
    try:
        number = float(fact)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_boolean(fact: Any) -> bool | None:
    """The fact as a boolean, "TRUE" and "false" included, or None."""
    if isinstance(fact, bool):
        return fact
    return BOOLEANS.get(fact.strip().casefold()) if isinstance(fact, str) else None


def as_text(fact: Any) -> str | None:
    """The fact as text to compare: folded, stripped; a number as digits, a boolean as true or false; else None."""
    if isinstance(fact, str):
        return fact.strip().casefold()
    if isinstance(fact, bool):
        return "true" if fact else "false"
    if isinstance(fact, float):
        return str(int(fact)) if fact.is_integer() else repr(fact)
    return str(fact) if isinstance(fact, int) else None


def equal(value: Any) -> Test:
    if isinstance(value, bool):
        return lambda fact: as_boolean(fact) is value
    if isinstance(value, int | float):
        return lambda fact: as_number(fact) == value
    wanted = _one_text(value)
    return lambda fact: as_text(fact) == wanted


def member(value: Any) -> Test:
    values = _list(value)
    booleans = {v for v in values if isinstance(v, bool)}
    numbers = {v for v in values if isinstance(v, int | float) and not isinstance(v, bool)}
    texts = {_one_text(v) for v in values if not isinstance(v, bool | int | float)}

    def one(fact: Any) -> bool:
        if as_text(fact) in texts or (numbers and as_number(fact) in numbers):
            return True
        return bool(booleans) and as_boolean(fact) in booleans

    return lambda fact: any(map(one, fact)) if isinstance(fact, list) else one(fact)


def above(value: Any) -> Test:
    bound = _number(value)
    return lambda fact: None if (n := as_number(fact)) is None else n > bound


def at_least(value: Any) -> Test:
    bound = _number(value)
    return lambda fact: None if (n := as_number(fact)) is None else n >= bound


def below(value: Any) -> Test:
    bound = _number(value)
    return lambda fact: None if (n := as_number(fact)) is None else n < bound


def at_most(value: Any) -> Test:
    bound = _number(value)
    return lambda fact: None if (n := as_number(fact)) is None else n <= bound


def between(value: Any) -> Test:
    if not isinstance(value, list) or len(value) != 2:
        raise BadValue("Give two numbers, the lowest and the highest: [200, 5000]")
    low, high = _number(value[0]), _number(value[1])
    if low > high:
        raise BadValue("Give the lower number first")
    return lambda fact: None if (n := as_number(fact)) is None else low <= n <= high


def contains(value: Any) -> Test:
    needles = _texts(value)
    whole = {needle.strip() for needle in needles}

    def test(fact: Any) -> bool:
        if isinstance(fact, list):
            return any(as_text(item) in whole for item in fact)
        text = fact.casefold() if isinstance(fact, str) else as_text(fact)
        return text is not None and any(needle in text for needle in needles)

    return test


def starts(value: Any) -> Test:
    heads = _texts(value)
    return lambda fact: (text := as_text(fact)) is not None and text.startswith(heads)


def ends(value: Any) -> Test:
    tails = _texts(value)
    return lambda fact: (text := as_text(fact)) is not None and text.endswith(tails)


def matches_any(value: Any) -> Test:
    """Patterns in which * stands for any run of characters; "*@example.com". Time grows with pattern × text at most."""
    patterns = [text.strip().split("*") for text in _texts(value)]

    def one(fact: Any) -> bool:
        text = as_text(fact)
        return text is not None and any(_glob(parts, text) for parts in patterns)

    return lambda fact: any(map(one, fact)) if isinstance(fact, list) else one(fact)


def _glob(parts: list[str], text: str) -> bool:
    if len(parts) == 1:
        return text == parts[0]
    head, tail = parts[0], parts[-1]
    if len(text) < len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return False
    position, end = len(head), len(text) - len(tail)
    for part in parts[1:-1]:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _number(value: Any) -> Number:
    number = as_number(value)
    if number is None:
        raise BadValue("Give a number, such as 1000")
    return number


def _one_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadValue("Give a text, a number or true/false; to ask whether the field is filled use the op exists")
    return value.strip().casefold()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadValue('Give a list with at least one value: ["enterprise", "mid-market"]')
    if len(value) > MAX_LIST:
        raise BadValue(f"Give at most {MAX_LIST} values")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    values = _list(value) if isinstance(value, list) else [value]
    for text in values:
        _one_text(text)
    return tuple(text.casefold() for text in values)


def negated(maker: Maker) -> Maker:
    """The maker of the opposite test; what cannot be read stays unread."""

    def make(value: Any) -> Test:
        test = maker(value)
        return lambda fact: None if (answer := test(fact)) is None else not answer

    return make


OPS: dict[str, tuple[Maker, str]] = {
    "eq": (equal, "is"),
    "ne": (negated(equal), "is not"),
    "in": (member, "is one of"),
    "not_in": (negated(member), "is none of"),
    "gt": (above, "is above"),
    "gte": (at_least, "is at least"),
    "lt": (below, "is below"),
    "lte": (at_most, "is at most"),
    "between": (between, "is between"),
    "contains": (contains, "contains"),
    "starts": (starts, "starts with"),
    "ends": (ends, "ends with"),
    "matches_any": (matches_any, "matches"),
}
