"""What an HTTP connection is configured with, and what a play's step gives it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import encode_basic_auth
from yarl import URL

from agents.connectors.addresses import AddressRefused, AddressRules, Place, check_url
from agents.connectors.contract import BadPayload
from agents.connectors.fields import ConfigError, Field, Problem, read
from agents.connectors.http_request import METHODS, RESERVED, fill, header_fault, join
from agents.connectors.tls import tls_context

_METHOD_CHOICES = tuple((method, method) for method in METHODS)

FIELDS = (
    Field("base_url", "Address", "Where requests go, such as https://crm.example.com/api.", required=True),
    Field(
        "method", "Method", "Unless a play's step says otherwise.", "choice", default="POST", choices=_METHOD_CHOICES
    ),
    Field("headers", "Fixed headers", "Sent with every request.", "pairs", default={}),
    Field(
        "auth",
        "Signs in with",
        "How the far side knows us.",
        "choice",
        default="none",
        choices=(
            ("none", "nothing"),
            ("bearer", "a bearer token"),
            ("basic", "a name and password"),
            ("header", "a header of its own"),
        ),
    ),
    Field("username", "Name", "For a name and password."),
    Field("auth_header", "Header", "For a header of its own, such as X-Api-Key.", default="X-Api-Key"),
    Field("secret", "Secret", "The token, password or the header's value.", secret=True),
    Field("timeout", "Time limit (s)", "For one request, in seconds.", "number", default=10.0, low=0.1, high=120),
    Field(
        "idempotent",
        "Honours Idempotency-Key",
        "Only if the far side acts once however often it gets the same key: then an unknown outcome is sent again.",
        "boolean",
        default=False,
    ),
    Field(
        "lookup_path",
        "Look-up path",
        "Asked with GET after an unknown outcome, such as /messages/{action_id}: 200 is found, 404 not found.",
    ),
    Field(
        "lookup_after",
        "Look-up delay (s)",
        "Seconds after which “not found” may be believed.",
        "number",
        default=60.0,
        low=0,
        high=86_400,
    ),
    Field("undo_method", "Undo method", "Empty if it can't be undone.", "choice", choices=_METHOD_CHOICES[:4]),
    Field("undo_path", "Undo path", "Such as /messages/{id}; {action_id} or a field of the far side's JSON answer."),
    Field("ca_certificate", "Own authority", "PEM of a certificate authority to trust besides the usual.", "long"),
)

PAYLOAD_FIELDS = (
    Field("method", "Method", "Else the connection's.", "choice", choices=_METHOD_CHOICES),
    Field("path", "Path", "Added to the connection's address; begins with a slash. Fields in it are percent-encoded."),
    Field("headers", "Headers", "Besides the connection's.", "pairs"),
    Field("json", "Body", "Sent as JSON.", "json"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that holds together. `headers` include the credentials; `secrets` are what must not be shown."""

    place: Place
    url: URL
    method: str
    headers: dict[str, str]
    secrets: tuple[str, ...]
    timeout: float
    idempotent: bool
    lookup_path: str
    lookup_after: float | None
    undo_method: str
    undo_path: str
    tls: ssl.SSLContext | None


def read_settings(config: Mapping[str, Any], secrets: Mapping[str, Any], *, allow: AddressRules) -> Settings:
    """Raises ConfigError with every problem."""
    values, problems = read(FIELDS, config, secrets)
    place = Place("https", "invalid", 443, "/")
    try:
        if values["base_url"]:
            place = check_url(values["base_url"], allow)
    except AddressRefused as fault:
        problems.append(Problem("base_url", str(fault), "Give another address, or let an admin allow its host."))
    headers = {"Accept": "application/json, */*;q=0.5", "User-Agent": "Signalbox"}
    for name, value in values["headers"].items():
        if wrong := header_fault(name, value):
            problems.append(Problem("headers", wrong, "Remove it or mend it."))
        headers = {known: text for known, text in headers.items() if known.lower() != str(name).lower()}
        headers[name] = value
    headers |= _credentials(values, problems)
    if values["auth"] != "none" and place.scheme == "http" and not allow.names_host(place.host, place.port):
        problems.append(Problem("base_url", "a secret would be sent unencrypted", "Use https."))
    for name in ("lookup_path", "undo_path"):
        _check_template(name, values[name], place, problems)
    if bool(values["undo_method"]) != bool(values["undo_path"]):
        problems.append(Problem("undo_path", "undo needs both a method and a path", "Give both or neither."))
    tls = tls_context(values["ca_certificate"], problems)
    if problems:
        raise ConfigError(problems)
    return Settings(
        place=place,
        url=URL(place.origin + place.path),
        method=values["method"],
        headers=headers,
        secrets=tuple(filter(None, (values["secret"], headers.get("Authorization", "").removeprefix("Basic ")))),
        timeout=values["timeout"],
        idempotent=values["idempotent"],
        lookup_path=values["lookup_path"] or "",
        lookup_after=values["lookup_after"] if values["lookup_path"] else None,
        undo_method=values["undo_method"] or "",
        undo_path=values["undo_path"] or "",
        tls=tls,
    )


def _credentials(values: Mapping[str, Any], problems: list[Problem]) -> dict[str, str]:
    kind, secret = values["auth"], values["secret"]
    if kind == "none":
        return {}
    if not secret:
        problems.append(Problem("secret", "it is missing", "Give the token, password or the header's value."))
        return {}
    if header_fault("secret", secret):
        problems.append(Problem("secret", "it holds a character that may not be sent", "Paste it without line breaks."))
        return {}
    if kind == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    if kind == "header":
        if fault := header_fault(values["auth_header"], "x", reserved=RESERVED - {"authorization"}):
            problems.append(Problem("auth_header", fault, "Give the name of the header, such as X-Api-Key."))
        return {values["auth_header"]: secret}
    if not values["username"] or ":" in values["username"] or not values["username"].isprintable():
        problems.append(Problem("username", "it is missing or holds a colon", "Give the name that goes with it."))
        return {}
    return {"Authorization": encode_basic_auth(values["username"], secret, "utf-8")}


def _check_template(name: str, template: str | None, place: Place, problems: list[Problem]) -> None:
    if not template:
        return
    if name == "lookup_path" and "{action_id}" not in template:
        problems.append(Problem(name, "it does not hold {action_id}", "Say where the action's id goes."))
    try:
        join(place, fill(template, _Any()) if name == "undo_path" else fill(template, {"action_id": "x"}))
    except BadPayload as fault:
        problems.append(Problem(name, str(fault).removeprefix("path: "), "Give a path such as /messages/{action_id}."))


class _Any(dict[str, str]):
    def get(self, key: str, default: Any = None) -> str:
        return "x"
