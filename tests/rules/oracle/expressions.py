"""As much of CEL as the generated policies use, read and evaluated by hand from the language's definition.

Numbers without a point are Python's int, others float. A failure is raised; `&&`, `||`, `all` and `exists` take it
back where the rest settles the answer.
"""

import operator
import re
from collections.abc import Callable
from functools import lru_cache

TOKEN = re.compile(
    r"""\s*(?: (?P<number>\d+\.\d+|\d+) | (?P<text>"[^"\\]*"|'[^'\\]*') | (?P<name>[A-Za-z_]\w*)
    | (?P<sign>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]]) )""",
    re.VERBOSE,
)
WORDS = {"true": True, "false": False, "null": None}
LOOPS = ("all", "exists", "exists_one", "filter", "map")
LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
TEXT = {"startsWith": str.startswith, "endsWith": str.endswith, "contains": str.__contains__}


class Failed(Exception):
    """CEL's error."""


def evaluate(expression: str, names: dict) -> object:
    """The expression's value where `names` are known, or Failed."""
    return value_of(parse(expression), names)


@lru_cache(maxsize=4096)
def parse(expression: str) -> tuple:
    return Reader(expression).whole()


class Reader:
    """From text to a tree of tuples: what it is, then its parts."""

    def __init__(self, expression: str) -> None:
        self.left: list[tuple[str, str]] = []
        at = 0
        while expression[at:].strip():
            match = TOKEN.match(expression, at)
            if not match:
                raise ValueError(f"Not understood: {expression[at:]}")
            self.left.append((match.lastgroup or "", match[match.lastgroup or 0]))
            at = match.end()
        self.left.reverse()

    def whole(self) -> tuple:
        tree = self.choice()
        if self.left:
            raise ValueError(f"Left over: {self.left[::-1]}")
        return tree

    def next_is(self, *words: str) -> bool:
        return bool(self.left) and self.left[-1][0] in ("sign", "name") and self.left[-1][1] in words

    def take(self, *words: str) -> bool:
        if self.next_is(*words):
            self.left.pop()
            return True
        return False

    def need(self, word: str) -> None:
        if not self.take(word):
            raise ValueError(f"Expected {word} before {self.left[::-1]}")

    def choice(self) -> tuple:
        test = self.level(0)
        if not self.take("?"):
            return test
        then = self.level(0)
        self.need(":")
        return ("?", test, then, self.choice())

    def level(self, number: int) -> tuple:
        if number == len(LEVELS):
            return self.unary()
        tree = self.level(number + 1)
        while self.next_is(*LEVELS[number]):
            sign = self.left.pop()[1]
            tree = (sign, tree, self.level(number + 1))
        return tree

    def unary(self) -> tuple:
        if self.take("!"):
            return ("not", self.unary())
        if self.take("-"):
            return ("minus", self.unary())
        return self.member()

    def member(self) -> tuple:
        tree = self.primary()
        while True:
            if self.take("["):
                tree = ("index", tree, self.choice())
                self.need("]")
            elif self.take("."):
                name = self.left.pop()[1]
                tree = ("call", name, tree, self.listed(")")) if self.take("(") else ("field", tree, name)
            else:
                return tree

    def primary(self) -> tuple:
        kind, word = self.left.pop()
        if kind == "number":
            return ("is", float(word) if "." in word else int(word))
        if kind == "text":
            return ("is", word[1:-1])
        if word in WORDS:
            return ("is", WORDS[word])
        if kind == "name":
            return ("call", word, None, self.listed(")")) if self.take("(") else ("name", word)
        if word == "(":
            tree = self.choice()
            self.need(")")
            return tree
        if word == "[":
            return ("list", self.listed("]"))
        raise ValueError(f"Unexpected {word}")

    def listed(self, end: str) -> tuple:
        found: list[tuple] = []
        while not self.take(end):
            found.append(self.choice())
            if not self.next_is(end):
                self.need(",")
        return tuple(found)


def value_of(tree: tuple, names: dict) -> object:
    match tree:
        case ("is", given):
            return given
        case ("name", name):
            return found_in(names, name)
        case ("list", parts):
            return [value_of(part, names) for part in parts]
        case ("field", of, name):
            return found_in(value_of(of, names), name)
        case ("index", of, key):
            return indexed(value_of(of, names), value_of(key, names))
        case ("not", of):
            return not truth(value_of(of, names))
        case ("minus", of):
            return whole(-number(value_of(of, names)))
        case ("?", test, then, other):
            return value_of(then if truth(value_of(test, names)) else other, names)
        case ("||" | "&&" as sign, one, other):
            return settled(sign == "||", [lambda: value_of(one, names), lambda: value_of(other, names)])
        case ("call", name, of, parts):
            return called(name, of, parts, names)
        case (sign, one, other):
            return of_two(sign, value_of(one, names), value_of(other, names))
    raise ValueError(tree)


def settled(settles: bool, parts: list[Callable[[], object]]) -> bool:
    """`||` (where True settles it) and `&&` (where False does) of any number: what settles it beats a failure."""
    failure = None
    for part in parts:
        try:
            if truth(part()) is settles:
                return settles
        except Failed as error:
            failure = error
    if failure:
        raise failure
    return not settles


def of_two(sign: str, one: object, other: object) -> object:
    if sign in ("==", "!="):
        return same(one, other) is (sign == "==")
    if sign == "in":
        if not isinstance(other, list | dict):
            raise Failed("in what?")
        return any(same(one, item) for item in other)
    if sign in ORDER:
        if (is_number(one) and is_number(other)) or (type(one) is type(other) and isinstance(one, str | bool)):
            return ORDER[sign](one, other)
        raise Failed(f"{one!r} {sign} {other!r}")
    if type(one) is not type(other):
        raise Failed(f"{one!r} {sign} {other!r}")
    if sign == "+" and isinstance(one, str | list):
        return one + other
    return calculated(sign, number(one), number(other))


def calculated(sign: str, one: float, other: float) -> float:
    if sign == "+":
        return whole(one + other)
    if sign == "-":
        return whole(one - other)
    if sign == "*":
        return whole(one * other)
    if isinstance(one, float) and sign == "/":
        return one / other
    if isinstance(one, float) or other == 0:
        raise Failed(f"{one} {sign} {other}")
    quotient = abs(one) // abs(other) * (1 if (one < 0) is (other < 0) else -1)
    return whole(quotient if sign == "/" else one - quotient * other)


def called(name: str, of: tuple | None, parts: tuple, names: dict) -> object:
    if name == "has":
        _, holder, field = parts[0]
        inside = value_of(holder, names)
        if not isinstance(inside, dict):
            raise Failed("no map")
        return field in inside
    if name in LOOPS:
        return looped(name, value_of(of, names), parts, names)
    given = [value_of(part, names) for part in ((of, *parts) if of else parts)]
    if name == "size" and isinstance(given[0], str | list | dict):
        return len(given[0])
    if name in TEXT and all(isinstance(one, str) for one in given):
        return TEXT[name](*given)
    if name == "matches" and all(isinstance(one, str) for one in given):
        return re.search(given[1], given[0]) is not None
    if name == "double" and (is_number(given[0]) or isinstance(given[0], str)):
        return as_double(given[0])
    raise Failed(f"{name} of {given}")


def looped(name: str, over: object, parts: tuple, names: dict) -> object:
    if not isinstance(over, list | dict):
        raise Failed("over what?")
    (_, variable), body = parts
    each = [lambda item=item: value_of(body, names | {variable: item}) for item in over]
    if name in ("all", "exists"):
        return settled(name == "exists", each)
    if name == "exists_one":
        return sum([truth(one()) for one in each]) == 1
    if name == "filter":
        return [item for item, one in zip(over, each, strict=True) if truth(one())]
    return [one() for one in each]


def found_in(inside: object, name: object) -> object:
    if not isinstance(inside, dict) or name not in inside:
        raise Failed(f"no {name}")
    return inside[name]


def indexed(inside: object, key: object) -> object:
    if isinstance(inside, list) and isinstance(key, int) and not isinstance(key, bool):
        if not 0 <= key < len(inside):
            raise Failed("beyond the list")
        return inside[key]
    return found_in(inside, key)


def as_double(given: float | str) -> float:
    try:
        return float(given)
    except ValueError:
        raise Failed(f"{given!r} is no number") from None


def truth(given: object) -> bool:
    if not isinstance(given, bool):
        raise Failed(f"{given!r} is neither true nor false")
    return given


def is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def number(given: object) -> float:
    if not is_number(given):
        raise Failed(f"{given!r} is no number")
    return given


def whole(given: float) -> float:
    """Whole numbers have 64 bits."""
    if isinstance(given, int) and not -(2**63) <= given < 2**63:
        raise Failed("beyond 64 bits")
    return given


def same(one: object, other: object) -> bool:
    """Numbers by what they come to, all else only within its type."""
    if is_number(one) and is_number(other):
        return one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other
