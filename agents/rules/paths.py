"""Looking a fact up in a JSON document. JMESPath, with plain dotted paths taken without its interpreter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import jmespath
from jmespath.exceptions import JMESPathError

from agents.rules.errors import SpecError

MAX_EXPRESSION = 500
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@final
class Missing:
    """The type of MISSING, the one value that says: there is no such fact, or it is null."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
Document = Mapping[str, Any]
Getter = Callable[[Document], Any]


def compile_path(expression: str, *, where: str = "path") -> Getter:
    """A function from a document to what `expression` finds there, or MISSING when absent, null or not applicable.

    Never raises when called. SpecError for an expression that is not JMESPath.
    """
    if not isinstance(expression, str) or not expression.strip():
        raise SpecError(where, "there is no path", "Write the path of a field, such as properties.email")
    if len(expression) > MAX_EXPRESSION:
        raise SpecError(where, f"the path is longer than {MAX_EXPRESSION} characters", "Shorten it")
    expression = expression.strip()
    if expression == "@":
        return lambda document: document
    if PLAIN.fullmatch(expression):
        return plain_getter(expression.split("."))
    return _searcher(expression, where)


def plain_getter(names: list[str]) -> Getter:
    """Chained look-ups of `names` in nested dicts; MISSING where one is absent, null or not inside a dict."""
    if len(names) == 1:
        return _one(names[0])
    if len(names) == 2:
        return _two(names[0], names[1])
    return _many(names[0], tuple(names[1:]))


def _one(name: str) -> Getter:
    def get(document: Document) -> Any:
        value = document.get(name)
        return MISSING if value is None else value

    return get


def _two(outer: str, name: str) -> Getter:
    def get(document: Document) -> Any:
        inner = document.get(outer)
        if not isinstance(inner, dict):
            return MISSING
        value = inner.get(name)
        return MISSING if value is None else value

    return get


def _many(first: str, rest: tuple[str, ...]) -> Getter:
    def get(document: Document) -> Any:
        value = document.get(first)
        for name in rest:
            if not isinstance(value, dict):
                return MISSING
            value = value.get(name)
        return MISSING if value is None else value

    return get


def _searcher(expression: str, where: str) -> Getter:
    try:
        compiled = jmespath.compile(expression)
    except (JMESPathError, RecursionError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        mend = 'Write JMESPath, such as properties.email; a name with other characters is quoted: context."user-id"'
        raise SpecError(where, f"{expression!r} is not a path: {problem}", mend) from error

    def get(document: Document) -> Any:
        try:
            value = compiled.search(document)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError):
            return MISSING
        return MISSING if value is None else value

    return get
