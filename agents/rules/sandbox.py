"""The Jinja2 that templates run in: data and a few filters, nothing else.

Dotted names reach into JSON objects only, never to attributes or methods of Python objects. What a template may contain
is a list of allowed nodes; everything that could grow or run without end (**, macros, set, nested loops, calls but
range) is refused when it is compiled, and what is left is bounded when it runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import quote

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agents.rules.errors import SpecError

MAX_SOURCE = 20_000
MAX_OUTPUT = 64_000
MAX_ITEMS = 1_000
MAX_NODES = 2_000
MAX_NESTING = 40
MAX_LOOPS = 3
MAX_JOINED = 20
BIGGEST = 10**18
DATE_FORM = re.compile(r"(?:[^%\x00]|%-?[A-Za-z%])*")


class Absent(StrictUndefined):
    """A field that is not there. Its message is its dotted name; it is false in an `if`, an error anywhere else."""

    def __init__(self, hint: str | None = None, obj: Any = None, name: str | None = None, *rest: Any) -> None:
        super().__init__(hint or name, obj, name, *rest)

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def member(self, name: str) -> Absent:
        return Absent(f"{self._undefined_hint}.{name}")


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%"])

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A member of an object or list; Absent when it is not there, null or blank text."""
        found: Any = None
        if isinstance(obj, dict):
            found = obj.get(argument) if isinstance(argument, str) else None
        elif isinstance(obj, list):
            if isinstance(argument, int) and -len(obj) <= argument < len(obj):
                found = obj[argument]
        elif isinstance(obj, Absent):
            return obj.member(str(argument))
        elif isinstance(obj, LoopContext) and argument in ("index", "index0", "first", "last", "length"):
            found = getattr(obj, argument)
        if found is None or found == "":
            return Absent(str(argument))
        return bounded(found)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers of a sensible size only."""
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)
            if isinstance(side, bool) or not isinstance(side, int | float):
                raise SecurityError(f"{operator} works on numbers; join texts with ~")
        result = self.binop_table[operator](left, right)
        if not math.isfinite(result) or abs(result) > BIGGEST:
            raise SecurityError("the result of a calculation is too large")
        return result


def bounded(value: Any) -> Any:
    """The value; SecurityError when it is a text longer than a template's output may be."""
    if isinstance(value, str) and len(value) > MAX_OUTPUT:
        raise SecurityError(f"a text is longer than {MAX_OUTPUT} characters")
    return value


def shown(value: Any) -> Any:
    """A value as it stands in text: true/false, 1200 rather than 1200.0; SecurityError for a list or an object."""
    kind = type(value)
    if kind is str or kind is int or isinstance(value, Undefined):
        return value
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        return value
    if value is None:
        raise SecurityError("a value is null; give another with |default(…)")
    raise SecurityError("a list or an object can't stand in a text; name one of its members, or use |join")


def quoted(value: Any) -> str:
    """A value as it stands in a web address: everything percent-encoded that could end or divide it there."""
    return quote(_text(value), safe="", errors="replace")


def make_sandbox(*, autoescape: bool = False, quotes: bool = False) -> Sandbox:
    """An environment of its own, with nothing in it but range and the filters below.

    With `autoescape` every field is escaped as HTML, with `quotes` percent-encoded.
    """
    sandbox = Sandbox(
        undefined=Absent,
        autoescape=autoescape,
        keep_trailing_newline=True,
        finalize=quoted if quotes else shown,
        cache_size=0,
        optimized=False,
    )
    sandbox.globals = {"range": _range}
    sandbox.filters = dict(FILTERS)
    sandbox.filters["_listed"] = _listed
    if quotes:
        sandbox.filters["urlencode"] = _text
    sandbox.tests = {name: sandbox.tests[name] for name in ("defined", "undefined", "number", "string")}
    return sandbox


ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.Slice, nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv),
    *(nodes.Mod, nodes.Neg, nodes.Pos, nodes.List, nodes.Tuple, nodes.Call),
)
SPECIAL_NAMES = frozenset({"self", "caller", "varargs", "kwargs", "super"})


def check(template: nodes.Template, sandbox: Sandbox, where: str) -> None:
    """Refuses (SpecError) whatever is not allowed, and makes every loop a bounded one."""
    counted = loops = joined = 0
    waiting: list[tuple[nodes.Node, int, bool]] = [(template, 0, False)]
    while waiting:
        node, depth, inside_loop = waiting.pop()
        counted += 1
        if counted > MAX_NODES or depth > MAX_NESTING:
            raise SpecError(where, "the template is too involved", "Make it shorter, or split it in two")
        if not isinstance(node, ALLOWED):
            _refuse(where, node, type(node).__name__.lower(), "Templates have fields, filters, if and for")
        if isinstance(node, nodes.Name) and node.name in SPECIAL_NAMES:
            _refuse(where, node, node.name, "Name a field of the signal, the account or the history")
        if isinstance(node, nodes.Filter) and node.name not in sandbox.filters:
            _refuse(where, node, f"the filter {node.name}", f"Use one of {', '.join(FILTERS)}")
        if isinstance(node, nodes.Test) and node.name not in sandbox.tests:
            _refuse(where, node, f"the test {node.name}", f"Use one of {', '.join(sandbox.tests)}")
        if isinstance(node, nodes.Call) and not (isinstance(node.node, nodes.Name) and node.node.name == "range"):
            _refuse(where, node, "a call", "Use a filter instead")
        joined += len(node.nodes) if isinstance(node, nodes.Concat) else 0
        if joined > MAX_JOINED:
            _refuse(where, node, f"~ between more than {MAX_JOINED} texts", "Write them one after the other")
        if isinstance(node, nodes.For):
            loops += 1
            if inside_loop or loops > MAX_LOOPS or node.recursive:
                _refuse(where, node, "a loop inside a loop, or a fourth loop", "Use |join, or a flat list")
            node.iter = nodes.Filter(node.iter, "_listed", [], [], None, None, lineno=node.lineno)
        inner = inside_loop or isinstance(node, nodes.For)
        waiting.extend((child, depth + 1, inner) for child in node.iter_child_nodes())


def _refuse(where: str, node: nodes.Node, what: str, mend: str) -> NoReturn:
    raise SpecError(where, f"line {node.lineno}: {what} is not allowed", mend)


def _text(value: Any) -> str:
    return str(bounded(shown(value)))


def _number(value: Any) -> float | int:
    try:
        number = value if isinstance(value, int | float) else float(_text(value))
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise SecurityError(f"{_text(value)[:40]!r} is not a number")
    return number


def _round(value: Any, digits: int = 0) -> float | int:
    digits = max(0, min(10, digits))
    rounded = round(_number(value), digits)
    return int(rounded) if digits == 0 else rounded


def _replace(value: Any, old: str, new: str) -> str:
    text = _text(value)
    if not old or len(text) + text.count(old) * len(new) > MAX_OUTPUT:
        raise SecurityError("replace would make the text too long")
    return text.replace(old, new)


def _truncate(value: Any, length: int = 80) -> str:
    text = _text(value)
    return text if len(text) <= length else text[: max(0, length - 1)].rstrip() + "…"


def _join(value: Any, between: str = ", ") -> str:
    texts = [_text(item) for item in _listed(value)]
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_OUTPUT:
        raise SecurityError("join would make the text too long")
    return between.join(texts)


def _date(value: Any, form: str = "%-d %B %Y") -> str:
    if len(form) > 40 or not DATE_FORM.fullmatch(form):
        raise SecurityError("the form of a date has % and a letter for each part, such as %d.%m.%Y")
    try:
        return datetime.fromisoformat(_text(value)).strftime(form)
    except ValueError as error:
        raise SecurityError(f"{_text(value)[:40]!r} is not a date") from error


def _default(value: Any, other: Any = "") -> Any:
    return other if isinstance(value, Undefined) or value is None or value == "" else value


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Undefined):
        str(value)
    if not isinstance(value, list | tuple | range):
        raise SecurityError("only a list can be gone through")
    if len(value) > MAX_ITEMS:
        raise SecurityError(f"a list has more than {MAX_ITEMS} items")
    return list(value)


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_ITEMS:
        raise SecurityError(f"range gives more than {MAX_ITEMS} numbers")
    return numbers


def _end(value: Any, index: int) -> Any:
    if isinstance(value, Undefined):
        str(value)
    if not isinstance(value, list | str) or not value:
        return Absent("first" if index == 0 else "last")
    return value[index]


FILTERS: dict[str, Callable[..., Any]] = {
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "title": lambda value: _text(value).title(),
    "capitalize": lambda value: _text(value).capitalize(),
    "trim": lambda value: _text(value).strip(),
    "string": _text,
    "int": lambda value: int(_number(value)),
    "float": lambda value: float(_number(value)),
    "round": _round,
    "length": lambda value: len(value) if isinstance(value, str | dict) else len(_listed(value)),
    "first": lambda value: _end(value, 0),
    "last": lambda value: _end(value, -1),
    "join": _join,
    "replace": _replace,
    "truncate": _truncate,
    "urlencode": quoted,
    "date": _date,
    "default": _default,
}
