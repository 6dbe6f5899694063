"""Every page of the console, generated from the URL conf, and what input did to its markup."""

import random
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

from agents.models import Account, Action, Connection, DoNotContact, Signal
from agents.unsubscribe import unsubscribe_url
from tests.hostile.injections import MARK, TEXTS

NOUNS = {
    "agents": ("agents.Agent", "slug"), "runs": ("agents.Run", "pk"), "inbox": ("approvals.Approval", "pk"),
    "pauses": ("agents.Pause", "pk"), "incidents": ("agents.Incident", "pk"), "audit": ("audit.Entry", "pk"),
    "sources": ("agents.Source", "slug"), "signals": ("agents.Signal", "pk"), "plays": ("agents.Play", "slug"),
    "connections": ("agents.Connection", "slug"), "people": ("approvals.Person", "pk"),
    "scopes/regions": ("agents.Region", "code"), "scopes/segments": ("agents.Segment", "code"),
    "proposals": ("agents.PolicyProposal", "pk"), "settings/tokens": ("approvals.ApiToken", "pk"),
    "settings/sign-in/steps": ("mfa.Authenticator", "pk"),
}  # fmt: skip
ADDRESSES = {"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete", "data-href"}
INERT = {"value", "title", "aria-label", "placeholder", "alt", "datetime", "data-copy", "data-label", "content"}
HERE = re.compile(r"(/(?![/\\])|[?#])[^\t\r\n]*")
RANDOM = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{64}(?![A-Za-z0-9])|(?<= nonce=\")[A-Za-z0-9_+/=-]{22,24}(?=\")")
"""Tokens against forged requests, and nonces: once in some runs one of them holds MARK by chance."""


def routes() -> list[URLPattern]:
    """Every address of the console, the included ones too."""

    def walk(patterns: Any) -> Iterator[URLPattern]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield pattern
            else:
                yield from walk(pattern.url_patterns)

    return list(walk(get_resolver().url_patterns))


def addresses(pattern: URLPattern, rng: random.Random, most: int) -> list[dict[str, Any]]:
    """The arguments with which to fetch it: at most so many things of its kind, at random."""
    names = set(pattern.pattern.converters)
    if not names:
        return [{}]
    noun = str(pattern.pattern).partition("/<")[0]
    if names == {"pk", "action"}:
        found = [{"pk": run, "action": pk} for pk, run in Action.objects.values_list("pk", "run_id")]
    elif names == {"slug", "number"}:
        found = [{**one, "number": 1} for one in _of(noun)]
    elif noun == "accounts":
        found = [{"key": key} for key in Account.objects.values_list("key", flat=True)]
    elif noun == "contacts":
        hashes = {*Signal.objects.exclude(contact=None).values_list("contact", flat=True)}
        hashes |= {*DoNotContact.objects.values_list("contact", flat=True)}
        found = [{"hash": bytes(one).hex()} for one in sorted(map(bytes, hashes))]
    elif pattern.name == "connection-mailbox":
        found = [{"slug": slug} for slug in Connection.objects.filter(kind="sandbox").values_list("slug", flat=True)]
    elif names & {"provider_id", "rest"}:
        found = []
    elif names == {"form"}:
        found = [{"form": "csv"}]
    elif noun == "audit/retention/holds":
        found = [{"pk": 1}]
    elif names == {"pk", "token"}:
        found = [{**one, "token": 1} for one in _of(noun)]
    elif names == {"token"}:
        found = [{"token": unsubscribe_url(b"0" * 16).rpartition("/")[2]}]
    elif names == {"uidb64", "token"}:
        found = [{"uidb64": "MQ", "token": "set-password"}]
    else:
        found = [{next(iter(names)): one[next(iter(one))]} for one in _of(noun)]
    return rng.sample(found, min(most, len(found)))


def _of(noun: str) -> list[dict[str, Any]]:
    model, name = NOUNS[noun]
    return [{name: value} for value in apps.get_model(model).objects.values_list(name, flat=True)]


def asking(rng: random.Random, body: str) -> str:
    """A query that gives every filter of a page one of the texts, and paging nonsense."""
    names = set(re.findall(r'<(?:input|select)[^>]*? name="([^"]+)"', body)) - {"csrfmiddlewaretoken"}
    names |= {"q", "next", "before", "after", "seen", "of", "account", "type", "agent", "period", "by"}
    return urlencode({name: rng.choice(TEXTS).encode("utf-8", "replace") for name in names})


class Flaws(HTMLParser):
    """Where input became markup: `found` names each place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._raw = ""
        self.feed(RANDOM.sub("", page))
        if MARK in self.rawdata:
            self.found.append(f"unfinished: {self.rawdata[:80]}")
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raw = tag if tag in ("script", "style") else ""
        if MARK in tag:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            inert = name in INERT and tag not in ("meta", "base")
            leads_here = name in ADDRESSES and HERE.fullmatch(value or "")
            alive = MARK in name or name.startswith("on") or name == "srcdoc"
            if alive or (MARK in (value or "") and not inert and not leads_here):
                self.found.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""

    def handle_data(self, data: str) -> None:
        if self._raw and MARK in data:
            self.found.append(f"in <{self._raw}>: {data[:80]}")

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.found.append(f"in a comment: {data[:80]}")

    def unknown_decl(self, data: str) -> None:
        self.handle_comment(data)

    def handle_decl(self, decl: str) -> None:
        self.handle_comment(decl)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)
