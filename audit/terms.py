"""The terms that an entry is found by: words that a person may type, columns as facets, and what it speaks of.

A word is a stretch of letters and digits without case and accents: "acme", "503". A facet is column=value:
"region=emea/de". A reference is @kind:key: "@pause:12". Ids that are UUIDs or hashes are left out, as they have columns
of their own, and so is whatever is sealed under a person's key. What is not in the terms is not found by typing it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from audit import words

LONGEST = 64
"""Letters of a word that count."""
MOST = 2_000
"""Words of one text that count."""
SHORT = 120
"""Texts up to here come again often enough to remember their words."""
TOO_COMMON = frozenset(("a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "that",
                        "the", "to", "was", "with"))  # fmt: skip
REFERRED = frozenset(("agent", "connection", "incident", "pause", "person", "play", "proposal", "region", "segment",
                      "source"))  # fmt: skip
"""Keys of a detail whose value is the key of such a noun."""

_WORD = re.compile(r"[^\W_]+")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{24,}\b", re.IGNORECASE)
_REFERENCE = re.compile(r"[a-z_]+:[^\s:]{1,80}\Z")
_FILLED = re.compile(r"\{\w+\}")


def words_in(text: str) -> list[str]:
    """The words of `text` in order, without those too common to look for."""
    text = _ID.sub(" ", text)
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    return [w[:LONGEST] for w in _WORD.findall(text.lower())[:MOST] if w not in TOO_COMMON]


def terms(
    verb: str, actor: str, subject: str, agent: str, region: str, segment: str, account: str, detail: dict[str, Any]
) -> set[str]:
    """Every term of one entry."""
    found = set(_of_verb(verb))
    found.update(_of_places(agent, region, segment))
    found.update(_of_actor(actor))
    found.update(_of_subject(subject))
    if account:
        found.update(_words(account))
    for key, value in detail.items():
        _walk(found, key, value)
    return found


def texts(subject: str, account: str, detail: dict[str, Any]) -> Iterator[str]:
    """The texts of one entry in which a phrase may stand."""
    yield from (subject, account)
    yield from _texts(detail.values())


def verbs(verb: str) -> set[str]:
    """The facets of a verb or of the beginning of one ("action.")."""
    if verb.endswith("."):
        return {f"verb={verb}"}
    return {f"verb={verb}", *(f"verb={one}" for one in words.VERBS if one.startswith(verb))}


def saying(word: str) -> list[str]:
    """The verbs in whose sentence the word stands."""
    return [verb for verb in words.VERBS if word in _of_verb(verb)]


def speaking_of(reference: str) -> set[str]:
    """The terms of entries that speak of `reference`, such as "pause:12" or "agent:inbound-intent"."""
    kind, _, key = reference.partition(":")
    return {f"@{reference}"} | ({f"{kind}={key}"} if kind in ("agent", "region", "segment") and key else set())


@lru_cache(maxsize=4096)
def _of_verb(verb: str) -> frozenset[str]:
    said = _FILLED.sub(" ", words.VERBS.get(verb, ""))
    kind = verb.partition(".")[0]
    return frozenset((f"verb={verb}", f"verb={kind}.", *words_in(verb), *words_in(said)))


@lru_cache(maxsize=8192)
def _of_places(agent: str, region: str, segment: str) -> frozenset[str]:
    facets = (f"agent={agent}", f"region={region}", f"segment={segment}")
    return frozenset((*facets, *words_in(f"{agent} {region} {segment}")))


@lru_cache(maxsize=8192)
def _of_actor(actor: str) -> frozenset[str]:
    return frozenset((f"actor={actor}", *(() if actor.startswith("worker:") else (f"@{actor}",)), *words_in(actor)))


def _of_subject(subject: str) -> Iterable[str]:
    if len(subject) > 36 and _is_id(subject[-36:]):
        return (subject[:-37],)
    return (f"@{subject}", *_words(subject))


def _walk(found: set[str], key: str, value: Any) -> None:
    """Add to `found` the terms of what stands under `key`."""
    kind = value.__class__
    if kind is str:
        if _is_id(value):
            return
        found.update(_of_value(key, value) if len(value) <= SHORT else words_in(value))
    elif kind is int:
        if key in REFERRED:
            found.add(f"@{key}:{value}")
        elif key == "status":
            found.add(str(value))
    elif kind is list:
        for inner in value:
            _walk(found, key, inner)
    elif kind is dict and not ("sealed" in value and "of" in value):
        for inner_key, inner in value.items():
            _walk(found, inner_key, inner)


def _is_id(text: str) -> bool:
    """Whether it looks like a UUID or a hash: these come once, so remembering their words would push out the rest."""
    return len(text) >= 24 and (text[8] == "-" == text[-13] or (text.isalnum() and _ID.fullmatch(text) is not None))


@lru_cache(maxsize=65536)
def _of_value(key: str, value: str) -> tuple[str, ...]:
    found = words_in(value)
    if key in REFERRED:
        found.append(f"@{key}:{value.partition('@')[0]}")
    if _REFERENCE.match(value) and not _ID.search(value):
        found.append(f"@{value}")
    return tuple(found)


@lru_cache(maxsize=65536)
def _words(text: str) -> tuple[str, ...]:
    return tuple(words_in(text))


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, dict) and not ("sealed" in value and "of" in value):
            yield from _texts(value.values())
