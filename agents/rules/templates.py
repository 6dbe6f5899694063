"""Texts and JSON payloads with fields in them, compiled once and rendered for every action.

A field that is absent, null or blank is an error that names it, before anything is sent, never a blank in a customer's
mailbox; `{{ signal.person|default("there") }}` and `{% if signal.person %}` say that it may be absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from jinja2 import TemplateError, nodes
from jinja2.environment import Template
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from markupsafe import escape

from agents.rules.errors import Faults, SpecError
from agents.rules.paths import MISSING, Document, Getter, plain_getter
from agents.rules.sandbox import MAX_OUTPUT, MAX_SOURCE, Absent, Sandbox, check, make_sandbox, quoted, shown

MAX_DEPTH = 12
MAX_LEAVES = 300
MARKS = ("{{", "{%", "{#")
TEXT, HTML, ADDRESS = make_sandbox(), make_sandbox(autoescape=True), make_sandbox(quotes=True)

_ESCAPES: dict[Sandbox, Callable[[str], object]] = {HTML: escape, ADDRESS: quoted}

Render = Callable[[Document], Any]


class RenderError(ValueError):
    """A template that can't be filled from this document: `where` (the place in the play) and what is wrong."""

    def __init__(self, where: str, what: str) -> None:
        self.where, self.what = where, what
        super().__init__(f"{where}: {what}")


class MissingField(RenderError):
    """A field that the template needs is absent, null or blank; `name` is its path."""

    def __init__(self, name: str, where: str) -> None:
        self.name = name
        super().__init__(where, f"the field {name} is missing")


class Text:
    """A compiled text; made by `compile_text`, safe to share."""

    def __init__(self, render: Render, where: str) -> None:
        self._render, self._where = render, where

    def render(self, document: Document) -> str:
        """The text, at most 64 kB. MissingField or RenderError, and nothing else, when it can't be made."""
        text: str = self._render(document)
        return text


class Payload:
    """A compiled JSON payload; made by `compile_payload`, safe to share."""

    def __init__(self, render: Render, where: str) -> None:
        self._render, self._where = render, where

    def render(self, document: Document) -> Any:
        """The JSON tree, at most 64 kB as JSON, with no number that JSON can't carry exactly. It may share parts with
        the document. MissingField or RenderError, and nothing else, when it can't be made."""
        tree = self._render(document)
        try:
            size = len(orjson.dumps(tree, option=orjson.OPT_STRICT_INTEGER))
        except (TypeError, RecursionError) as error:
            mend = "send a number beyond 2^53 as text with |string"
            raise RenderError(self._where, f"the payload is not exact JSON ({error}); {mend}") from error
        if size > MAX_OUTPUT:
            raise RenderError(self._where, f"the payload is larger than {MAX_OUTPUT} bytes")
        return tree


def compile_text(source: str, *, html: bool = False, where: str = "text") -> Text:
    """A text template; with `html` every field is escaped. SpecError when it is not a template that may run."""
    return Text(_compile_leaf(source, where, HTML if html else TEXT, native=False), where)


def compile_payload(tree: Any, *, where: str = "payload", escaped: Mapping[str, Sandbox] | None = None) -> Payload:
    """A JSON tree whose texts are templates. A text that is exactly `{{ expression }}` keeps the value's own type.

    The top-level members named in `escaped` are texts in which every field is escaped: as HTML or for an ADDRESS.
    SpecError lists all that is wrong, each with its place in the tree.
    """
    faults, leaves = Faults(), [0, 0]
    texts: dict[str, Render] = {}
    for name, sandbox in (escaped or {}).items() if isinstance(tree, dict) else ():
        if name in tree:
            with faults.gather():
                texts[name] = _compile_leaf(tree[name], f"{where}.{name}", sandbox, native=False)
    if texts:
        tree = {name: member for name, member in tree.items() if name not in texts}
    plain = _compile_tree(tree, where, faults, leaves, 0)

    def render(document: Document) -> Any:
        made = plain(document)
        return {**made, **{name: text(document) for name, text in texts.items()}} if texts else made

    if leaves[0] > MAX_LEAVES:
        faults.add(where, f"more than {MAX_LEAVES} values", "Send fewer, or pass on a whole object as {{ signal }}")
    if leaves[1] > MAX_SOURCE:
        faults.add(where, f"the payload's texts are longer than {MAX_SOURCE} characters", "Shorten them")
    faults.raise_any()
    return Payload(render, where)


def _compile_tree(tree: Any, where: str, faults: Faults, leaves: list[int], depth: int) -> Render:
    if depth > MAX_DEPTH:
        faults.add(where, f"nested more than {MAX_DEPTH} deep", "Flatten it")
        return lambda document: None
    leaves[0] += 1
    if isinstance(tree, dict):
        for key in tree:
            if not isinstance(key, str) or any(mark in key for mark in MARKS):
                faults.add(where, f"the name {str(key)[:40]!r} is not a plain text", "Only values hold templates")
        members = [(k, _compile_tree(v, f"{where}.{k}", faults, leaves, depth + 1)) for k, v in tree.items()]
        return lambda document: {key: render(document) for key, render in members}
    if isinstance(tree, list):
        items = [_compile_tree(v, f"{where}[{i}]", faults, leaves, depth + 1) for i, v in enumerate(tree)]
        return lambda document: [render(document) for render in items]
    if isinstance(tree, str):
        leaves[1] += len(tree)
        with faults.gather():
            return _compile_leaf(tree, where, TEXT, native=True)
    elif not isinstance(tree, int | float | None):
        faults.add(where, f"{type(tree).__name__} is not JSON", "Write a text, a number, true, false or null")
    return lambda document: tree


def _compile_leaf(source: Any, where: str, sandbox: Sandbox, *, native: bool) -> Render:
    if not isinstance(source, str):
        raise SpecError(where, "a template is a text", "Write the text, with fields as {{ signal.person }}")
    if len(source) > MAX_SOURCE:
        raise SpecError(where, f"the template is longer than {MAX_SOURCE} characters", "Shorten it")
    if not any(mark in source for mark in MARKS):
        return lambda document: source
    try:
        parsed = sandbox.parse(source)
        check(parsed, sandbox, where)
        pieces = _pieces(parsed)
        only = _only_expression(parsed) if native else None
        if only is not None:
            if pieces is not None:
                return _native_field(pieces[0], where)
            return _native(_template(sandbox, only), _names(parsed), where)
        if pieces is not None:
            return _plain_text(pieces, where, _ESCAPES.get(sandbox))
        return _any_text(sandbox.from_string(parsed), _names(parsed), where)
    except TemplateSyntaxError as error:
        what = f"line {error.lineno}: {error.message}"
        raise SpecError(where, what, "Write fields as {{ signal.person }} and close every {% if %}") from error
    except (TemplateError, SyntaxError, RecursionError, MemoryError, ValueError, OverflowError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(where, f"not a template: {str(error)[:80]}", "Make it simpler") from error


def _only_expression(parsed: nodes.Template) -> nodes.Expr | None:
    if len(parsed.body) == 1 and isinstance(output := parsed.body[0], nodes.Output) and len(output.nodes) == 1:
        only = output.nodes[0]
        return None if isinstance(only, nodes.TemplateData) else only
    return None


def _template(sandbox: Sandbox, expression: nodes.Expr) -> Template:
    assign = nodes.Assign(nodes.Name("result", "store", lineno=1), expression, lineno=1)
    return sandbox.from_string(nodes.Template([assign], lineno=1))


def _pieces(parsed: nodes.Template) -> list[str | tuple[str, ...]] | None:
    """The template as constant texts and dotted names, or None when it is more than that."""
    pieces: list[str | tuple[str, ...]] = []
    for output in parsed.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                pieces.append(node.data)
            elif (name := _dotted(node)) is not None:
                pieces.append(name)
            else:
                return None
    return pieces


def _dotted(node: nodes.Node) -> tuple[str, ...] | None:
    names: list[str] = []
    while isinstance(node, nodes.Getattr):
        names.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name) or node.name in ("loop", "range"):
        return None
    return (node.name, *reversed(names))


def _names(parsed: nodes.Template) -> list[tuple[str, ...]]:
    found = [_dotted(node) for node in parsed.find_all((nodes.Getattr, nodes.Name))]
    return sorted({name for name in found if name}, key=len, reverse=True)


def _native_field(piece: str | tuple[str, ...], where: str) -> Render:
    name = ".".join(piece)
    get = plain_getter(list(piece))

    def render(document: Document) -> Any:
        value = get(document)
        if value is MISSING or value == "":
            raise MissingField(name, where)
        return value

    return render


def _plain_text(pieces: list[str | tuple[str, ...]], where: str, escaped: Callable[[str], object] | None) -> Render:
    parts: list[tuple[str, Getter | None]] = [
        (piece, None) if isinstance(piece, str) else (".".join(piece), plain_getter(list(piece))) for piece in pieces
    ]

    def render(document: Document) -> str:
        said: list[str] = []
        for text, get in parts:
            if get is None:
                said.append(text)
                continue
            value = get(document)
            if value is MISSING or value == "":
                raise MissingField(text, where)
            if type(value) is not str:
                try:
                    value = str(shown(value))
                except TemplateError as error:
                    raise RenderError(where, f"{text}: {error.message}") from error
            said.append(str(escaped(value)) if escaped else value)
        whole = "".join(said)
        if len(whole) > MAX_OUTPUT:
            raise RenderError(where, f"the text is longer than {MAX_OUTPUT} characters")
        return whole

    return render


def _any_text(template: Template, names: list[tuple[str, ...]], where: str) -> Render:
    def make(document: Document) -> str:
        said, size = [], 0
        for piece in template.root_render_func(template.new_context(_present(document))):
            size += len(piece)
            if size > MAX_OUTPUT:
                raise RenderError(where, f"the text is longer than {MAX_OUTPUT} characters")
            said.append(piece)
        return "".join(said)

    return _guarded(make, names, where)


def _native(template: Template, names: list[tuple[str, ...]], where: str) -> Render:
    def make(document: Document) -> Any:
        context = template.new_context(_present(document))
        for _ in template.root_render_func(context):
            pass
        value = context.vars["result"]
        if isinstance(value, Absent):
            str(value)
        return list(value) if isinstance(value, range | tuple) else value

    return _guarded(make, names, where)


def _guarded(make: Render, names: list[tuple[str, ...]], where: str) -> Render:
    def render(document: Document) -> Any:
        try:
            return make(document)
        except UndefinedError as error:
            raise MissingField(_full_name(str(error.message), names, document), where) from error
        except RenderError:
            raise
        except TemplateError as error:
            raise RenderError(where, error.message or type(error).__name__) from error
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, AttributeError) as error:
            raise RenderError(where, f"{type(error).__name__}: {str(error)[:120]}") from error

    return render


def _present(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None and value != ""}


def _full_name(tail: str, names: list[tuple[str, ...]], document: Document) -> str:
    """The template's own name for what is missing: a failed look-up knows only the last part of it."""
    for name in names:
        dotted = ".".join(name)
        if dotted == tail or dotted.endswith("." + tail):
            value = plain_getter(list(name))(document)
            if value is MISSING or value == "":
                return dotted
    return tail
