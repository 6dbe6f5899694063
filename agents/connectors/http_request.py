"""From a play's step to the request that is written: method, address and headers, each checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import orjson
from yarl import URL

from agents.connectors.addresses import Place
from agents.connectors.contract import BadPayload

METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")
RESERVED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"}
    | {"proxy-authorization", "proxy-connection", "authorization", "cookie", "idempotency-key", "accept-encoding"}
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\xa1-\xff]{0,4000}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be written."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes | None


def header_fault(name: Any, value: Any, *, reserved: frozenset[str] = RESERVED) -> str:
    """Why this header may not be sent, or ""."""
    if not (isinstance(name, str) and _TOKEN.fullmatch(name)):
        return "a header's name is not valid"
    if name.lower() in reserved:
        return f"the header {name} is not a step's or setting's to give"
    if not (isinstance(value, str) and _VALUE.fullmatch(value)):
        return f"the header {name} holds a line break or another character that may not be sent"
    return ""


def join(place: Place, path: str) -> URL:
    """
    The address of `path` beneath the connection's own. Raises BadPayload for a path that could lead elsewhere.

    Characters that a URL may not hold are percent-encoded.
    """
    if not path.startswith("/") or path.startswith("//") or len(path) > 2000:
        raise BadPayload("path: it does not begin with a single slash, or is too long")
    if any(not c.isprintable() or c in "\\#" for c in path):
        raise BadPayload("path: it holds a backslash, a # or a control character")
    bare = path.partition("?")[0]
    plain = unquote(unquote(bare))
    if any(segment in (".", "..") for segment in plain.replace("\\", "/").split("/")):
        raise BadPayload("path: it holds . or .. as a step")
    base, question, query = place.path.partition("?")
    if question and "?" in path:
        raise BadPayload("path: the connection's address has a query of its own")
    url = URL(place.origin + base.rstrip("/") + path + (f"?{query}" if question else ""))
    if (url.scheme, url.host, url.port) != (place.scheme, place.host, place.port):
        raise BadPayload("path: it leads to another host")
    return url


def compose(payload: Mapping[str, Any], *, place: Place, url: URL, method: str, headers: Mapping[str, str]) -> Request:
    """The request for a step's `method?, path?, headers?, json?`, its headers besides `headers`. Raises BadPayload."""
    if unknown := payload.keys() - {"method", "path", "headers", "json"}:
        raise BadPayload(f"{min(unknown)}: an HTTP step has no such field")
    if given := payload.get("method"):
        method = str(given).upper()
        if method not in METHODS:
            raise BadPayload(f"method: it is none of {', '.join(METHODS)}")
    if path := payload.get("path"):
        if not isinstance(path, str):
            raise BadPayload("path: it is not text")
        url = join(place, path)
    sent = dict(headers)
    if own := payload.get("headers"):
        if not isinstance(own, Mapping):
            raise BadPayload("headers: they are not an object of text to text")
        taken = RESERVED | {name.lower() for name in sent}
        for name, value in own.items():
            if fault := header_fault(name, value, reserved=taken):
                raise BadPayload(f"headers: {fault}")
            sent[name] = value
    body = None
    if payload.get("json") is not None:
        try:
            body = orjson.dumps(payload["json"])
        except TypeError:
            raise BadPayload("json: it cannot be written as JSON") from None
        if not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
    return Request(method=method, url=url, headers=sent, body=body)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """`template` with each `{name}` replaced by its percent-encoded value. Raises BadPayload for a name without one."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1])
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise BadPayload(f"there is no value for {{{match[1]}}}")
        if found in (".", ".."):
            raise BadPayload(f"the value of {{{match[1]}}} is a step in a path")
        return quote(str(found), safe="")

    return _PLACEHOLDER.sub(value, template)
