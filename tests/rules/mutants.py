"""
Mutants of the boundaries: the modules that decide, with one thing in them changed, in memory.

A comparison becomes its neighbour or its opposite, `and` becomes `or`, `not` goes, a number moves by one, a word of the
verdicts becomes another.
"""

import ast
import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

CHAIN = ("scopes", "hours", "facts", "expressions", "clauses", "policy_specs", "boundaries")
"""Modules of agents.rules, each after those it imports."""
DECIDING = {
    "scopes": {"lineage"},
    "hours": {"hold", "hold_at", "left", "always", "quiet_until", "minutes"},
    "expressions": {"holds", "activate", "_plain"},
    "clauses": {
        *("fits", "tests", "_as_reversible", "_of_accounts", "_of_people", "_worth", "_within", "_true", "local"),
        *("activation", "_by_the_clock_of"),
    },
    "policy_specs": {"_clause", "_hours"},
    "boundaries": {"__init__", "decide", "_by_clause"},
}
NEIGHBOURS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
}
WORDS = {"alone": "ask", "supervised": "autonomous", "shadow": "supervised", "retired": "draft"}


@dataclass(frozen=True)
class Mutant:
    """One change; `apply` makes it in a fresh copy of the module's tree."""

    module: str
    line: int
    what: str
    apply: Callable[[ast.Module], None]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.what}"


def mutants() -> list[Mutant]:
    """All of them, in order of their places."""
    found = []
    for module, names in DECIDING.items():
        tree = _tree(module)
        for index, node in enumerate(ast.walk(tree)):
            node.index = index  # type: ignore[attr-defined]
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name in names:
                for node in (node for part in function.body for node in ast.walk(part)):
                    found += [
                        Mutant(module, node.lineno, f"{function.name}: {what}", _at(node.index, change))  # type: ignore[attr-defined]
                        for what, change in _changes(node)
                    ]
    return found


def changed(mutant: Mutant) -> dict[str, ModuleType]:
    """The modules of CHAIN by name, as the mutant has them; the real ones stay as they are."""
    names = [f"agents.rules.{name}" for name in CHAIN]
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    try:
        for name, full in zip(CHAIN, names, strict=True):
            tree = _tree(name)
            if mutant.module == name:
                mutant.apply(tree)
                ast.fix_missing_locations(tree)
            module = sys.modules[full] = ModuleType(full)
            exec(compile(tree, f"<{mutant}>", "exec"), module.__dict__)
        return {name: sys.modules[full] for name, full in zip(CHAIN, names, strict=True)}
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _tree(module: str) -> ast.Module:
    spec = find_spec(f"agents.rules.{module}")
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text())


def _at(index: int, change: Callable[[Any], None]) -> Callable[[ast.Module], None]:
    def apply(tree: ast.Module) -> None:
        change(list(ast.walk(tree))[index])

    return apply


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], None]]]:
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for other in NEIGHBOURS[type(op)]:
                yield f"{ast.unparse(node)} with {other.__name__}", _set_op(place, other)
    elif isinstance(node, ast.BoolOp):
        other_bool = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{ast.unparse(node)} with {other_bool.__name__}", lambda it: setattr(it, "op", other_bool())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"{ast.unparse(node)} without not", _unnegate
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        opposite = ast.Sub if isinstance(node.op, ast.Add) else ast.Add
        yield f"{ast.unparse(node)} with {opposite.__name__}", lambda it: setattr(it, "op", opposite())
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        value = node.value + 1
        yield f"{node.value} as {value}", lambda it: setattr(it, "value", value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in WORDS:
        word = WORDS[node.value]
        yield f"{node.value} as {word}", lambda it: setattr(it, "value", word)


def _set_op(place: int, other: type[ast.cmpop]) -> Callable[[ast.Compare], None]:
    def change(node: ast.Compare) -> None:
        node.ops[place] = other()

    return change


def _unnegate(node: ast.UnaryOp) -> None:
    inner = ast.UnaryOp(ast.Not(), copy.deepcopy(node.operand))
    node.op, node.operand = ast.Not(), inner
