"""What a deployment may set. Read once, from the environment; needs no Django, so that the supervisor can read it too.

Nothing here raises on a wrong value: a default stands in and the fault is kept in `problems`, which `console.checks`
turns into numbered system checks. What `manage.py up` made for itself (addresses of the embedded engines, secrets)
is read from the `var` folder where the environment is silent, so that every other command finds a running Signalbox.
"""

import contextlib
import ipaddress
import json
import os
import re
import secrets
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
SECRETS = frozenset({"SIGNALBOX_SECRET_KEY", "SIGNALBOX_ENCRYPTION_KEYS", "SIGNALBOX_IDENTITY_KEY"})
LOCAL = ("postgresql", "postgres")
"""Schemes whose address may name no host: PostgreSQL is then reached through its socket."""

OIDC_ID = "company"
"""What the provider is called in addresses; there is one."""
ROLES = ("rep", "owner", "ops", "engineer", "auditor")
"""What a newcomer from the provider may be. Never an admin."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Problem:
    """A wrong setting: its number among the system checks, what is wrong, and what to write instead."""

    number: int
    message: str
    hint: str


@dataclass(frozen=True)
class Oidc:
    """An OpenID Connect provider; `domains` those of the e-mails it may sign in, `role` of newcomers, "" for none."""

    issuer: str
    client_id: str
    client_secret: str
    domains: tuple[str, ...]
    role: str
    name: str


@dataclass(frozen=True)
class Env:
    """Every setting, parsed. `given` names the variables that the environment itself held."""

    var: Path
    port: int
    bind: str
    base_url: str
    trusted_proxies: tuple[Network, ...]
    database_url: str
    database_owner_url: str
    database_pool: int
    redis_url: str
    secret_key: str
    encryption_keys: tuple[str, ...]
    identity_key: bytes
    workers: int
    web_threads: int
    demo: bool
    oidc: Oidc | None
    smtp_url: str
    mail_from: str
    log_format: str
    log_level: str
    checkpoints: Path | None
    checkpoint_outlets: tuple[str, ...]
    given: frozenset[str]
    problems: tuple[Problem, ...]

    @property
    def tls(self) -> bool:
        """Whether people reach Signalbox over TLS."""
        return self.base_url.startswith("https://")

    @property
    def beyond_loopback(self) -> bool:
        """Whether the web server is asked to listen to other machines."""
        return not ipaddress.ip_address(self.bind).is_loopback


class _Reader:
    def __init__(self, environ: Mapping[str, str], kept: Mapping[str, str]) -> None:
        self.environ, self.kept = environ, kept
        self.problems: list[Problem] = []

    def text(self, name: str, default: str = "") -> str:
        return self.environ.get(name, "").strip() or self.kept.get(name, "") or default

    def wrong(self, number: int, message: str, hint: str) -> None:
        self.problems.append(Problem(number, message, hint))

    def whole(self, number: int, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if text.isdecimal() and low <= int(text) <= high:
            return int(text)
        self.wrong(number, f"{name} is {text!r}.", f"Give a whole number from {low} to {high}, such as {default}.")
        return default

    def choice(self, number: int, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text in choices:
            return text
        self.wrong(number, f"{name} is {text!r}.", f"Give one of: {', '.join(choices)}.")
        return default

    def url(self, number: int, name: str, default: str, schemes: tuple[str, ...], example: str) -> str:
        text = self.text(name, default)
        if not text:
            return ""
        parts = split_url(text)
        if parts and parts.scheme in schemes and (parts.hostname or parts.scheme in LOCAL):
            return text
        self.wrong(number, f"{name} is not an address this can use.", f"Write it as {example}.")
        return default


def split_url(text: str) -> SplitResult | None:
    """The parts of an address, or None if it is none (a port that is no number, a broken IPv6 host)."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def read(environ: Mapping[str, str] = os.environ) -> Env:
    """Parse the environment; faults are in the result's `problems`."""
    var = Path(environ.get("SIGNALBOX_VAR") or BASE_DIR / "var").absolute()
    given = frozenset(name for name in environ if environ[name].strip())
    kept = keep_secrets(var) if SECRETS - given else {}
    if "DATABASE_URL" not in given or "REDIS_URL" not in given:
        engines = _kept(var / "run" / "engines.json")
        if "DATABASE_URL" in given:
            engines = {"REDIS_URL": engines.get("REDIS_URL", "")}
        kept = kept | engines
    reader = _Reader(environ, kept)
    base_url = reader.url(3, "SIGNALBOX_BASE_URL", "", ("http", "https"), "https://signalbox.example.com").rstrip("/")
    proxies = _networks(reader)
    bind = _bind(reader)
    if base_url.startswith("https://") and not proxies:
        reader.wrong(
            20,
            "SIGNALBOX_BASE_URL is https, but SIGNALBOX_TRUSTED_PROXIES names nobody who ends TLS.",
            "Name the proxy in front, such as SIGNALBOX_TRUSTED_PROXIES=127.0.0.1.",
        )
    if not ipaddress.ip_address(bind).is_loopback and not base_url:
        reader.wrong(
            21,
            "SIGNALBOX_BIND listens beyond this machine, but SIGNALBOX_BASE_URL does not say under which address.",
            "Set SIGNALBOX_BASE_URL to the address people type; other host names are refused.",
        )
    return Env(
        var=var,
        port=reader.whole(1, "PORT", 8000, 1, 65535),
        bind=bind,
        base_url=base_url,
        trusted_proxies=proxies,
        database_url=_database(reader, 5, "DATABASE_URL", "postgresql://127.0.0.1/signalbox"),
        database_owner_url=_database(reader, 6, "DATABASE_OWNER_URL", ""),
        database_pool=reader.whole(16, "SIGNALBOX_DATABASE_POOL", 0, 0, 100),
        redis_url=reader.url(7, "REDIS_URL", "redis://127.0.0.1:6379/0", ("redis", "rediss"), "redis://host:6379/0"),
        secret_key=_secret(reader, 8, "SIGNALBOX_SECRET_KEY"),
        encryption_keys=_fernet_keys(reader),
        identity_key=_hash_key(_secret(reader, 10, "SIGNALBOX_IDENTITY_KEY")),
        workers=reader.whole(12, "SIGNALBOX_WORKERS", 2, 1, 64),
        web_threads=reader.whole(22, "SIGNALBOX_WEB_THREADS", 240, 4, 2000),
        demo=reader.choice(13, "SIGNALBOX_DEMO", "1", ("0", "1")) == "1",
        oidc=_oidc(reader),
        smtp_url=reader.url(
            14, "SIGNALBOX_SMTP_URL", "", ("smtp", "smtps"), "smtp://name:password@mail.example.com:587"
        ),
        mail_from=_mail_from(reader),
        log_format=reader.choice(17, "SIGNALBOX_LOG_FORMAT", "json", ("json", "console")),
        log_level=reader.choice(18, "SIGNALBOX_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        checkpoints=Path(text) if (text := reader.text("SIGNALBOX_CHECKPOINTS")) else None,
        checkpoint_outlets=_outlets(reader),
        given=given,
        problems=tuple(reader.problems),
    )


def django_database(url: str, *, pool: int = 0) -> dict[str, Any]:
    """Django's settings for a database URL; `pool` > 0 shares that many connections among the threads of a process."""
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or (parts.hostname or "")
    if pool:
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0 if pool else 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def new_secrets() -> dict[str, str]:
    """Fresh secrets of one installation, by the names of the variables they stand in for."""
    return {
        "SIGNALBOX_SECRET_KEY": secrets.token_urlsafe(48),
        "SIGNALBOX_ENCRYPTION_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SIGNALBOX_IDENTITY_KEY": secrets.token_urlsafe(32),
    }


def keep_secrets(var: Path) -> dict[str, str]:
    """The secrets kept in `var/secrets.json` (0600), made on first use; of two racing processes one wins.

    Empty if the folder cannot be written: the caller then reports what is missing.
    """
    path = var / "secrets.json"
    if path.exists():
        return _kept(path)
    try:
        var.mkdir(mode=0o711, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=var, prefix=".secrets-")
        with os.fdopen(handle, "w") as file:
            json.dump(
                new_secrets() | {"POSTGRES_PASSWORD": secrets.token_hex(24), "REDIS_PASSWORD": secrets.token_hex(24)},
                file,
                indent=1,
            )
            file.flush()
            os.fsync(handle)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    except OSError:
        return {}
    return _kept(path)


def _kept(path: Path) -> dict[str, str]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _secret(reader: _Reader, number: int, name: str) -> str:
    text = reader.text(name)
    if not text:
        reader.wrong(number, f"{name} is not set.", "Make the var folder writable, or give it to every process.")
        return new_secrets()[name]
    if len(text) < 32:
        reader.wrong(number, f"{name} has only {len(text)} characters.", "Give at least 32 random ones.")
    return text


def _oidc(reader: _Reader) -> Oidc | None:
    """The provider; None where none is named, or anything about it is wrong, so that nobody comes in by it."""
    before = len(reader.problems)
    example = "https://login.example.com"
    issuer = reader.url(40, "SIGNALBOX_OIDC_ISSUER", "", ("https", "http"), example).rstrip("/")
    client_id, secret = reader.text("SIGNALBOX_OIDC_CLIENT_ID"), reader.text("SIGNALBOX_OIDC_CLIENT_SECRET")
    domains = tuple(reader.text("SIGNALBOX_OIDC_DOMAINS").lower().replace(",", " ").split())
    role = reader.choice(43, "SIGNALBOX_OIDC_ROLE", "none", ("none", *ROLES))
    if not issuer:
        if client_id or secret or domains:
            reader.wrong(
                40, "SIGNALBOX_OIDC_ISSUER names no usable provider, but other SIGNALBOX_OIDC_ variables are set.",
                f"Give its issuer, such as {example}, or unset the others.",
            )  # fmt: skip
        return None
    if issuer.startswith("http://") and not _is_loopback(issuer):
        reader.wrong(40, "SIGNALBOX_OIDC_ISSUER is not https.", f"Give an address such as {example}.")
    if not client_id or not secret:
        missing = "SIGNALBOX_OIDC_CLIENT_ID" if not client_id else "SIGNALBOX_OIDC_CLIENT_SECRET"
        reader.wrong(41, f"SIGNALBOX_OIDC_ISSUER is set, but not {missing}.", "Take both from the provider.")
    if not domains or any("@" in domain or "." not in domain.strip(".") for domain in domains):
        reader.wrong(
            42, f"SIGNALBOX_OIDC_DOMAINS is {' '.join(domains)!r}.",
            "Give the domains of the e-mails that may sign in, with commas, such as example.com,example.org.",
        )  # fmt: skip
    if len(reader.problems) > before:
        return None
    name = reader.text("SIGNALBOX_OIDC_NAME", urlsplit(issuer).hostname or "your provider")
    return Oidc(issuer, client_id, secret, domains, "" if role == "none" else role, name)


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hash_key(text: str) -> bytes:
    """A key of at most 64 bytes, which is all that BLAKE2b takes; a longer secret is folded."""
    key = text.encode()
    return key if len(key) <= 64 else blake2b(key).digest()


def _fernet_keys(reader: _Reader) -> tuple[str, ...]:
    name = "SIGNALBOX_ENCRYPTION_KEYS"
    keys = tuple(key.strip() for key in reader.text(name).split(",") if key.strip())
    if not keys:
        reader.wrong(9, f"{name} is not set.", "Make the var folder writable, or give it to every process.")
        return (new_secrets()[name],)
    for place, key in enumerate(keys, 1):
        try:
            fits = len(urlsafe_b64decode(key)) == 32
        except ValueError:
            fits = False
        if not fits:
            reader.wrong(9, f"Key {place} of {name} is not a Fernet key.", "Give 32 bytes in URL-safe base64.")
            return (new_secrets()[name],)
    return keys


def _bind(reader: _Reader) -> str:
    text = reader.text("SIGNALBOX_BIND", "127.0.0.1")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        reader.wrong(2, f"SIGNALBOX_BIND is {text!r}.", "Give an IP address, such as 127.0.0.1 or 0.0.0.0.")
        return "127.0.0.1"


def _networks(reader: _Reader) -> tuple[Network, ...]:
    networks = []
    for text in reader.text("SIGNALBOX_TRUSTED_PROXIES").replace(",", " ").split():
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            reader.wrong(
                4,
                f"SIGNALBOX_TRUSTED_PROXIES names {text!r}, which is neither an IP address nor a network.",
                "Give addresses or networks with commas between, such as 127.0.0.1,10.0.0.0/8.",
            )
    return tuple(networks)


def _database(reader: _Reader, number: int, name: str, default: str) -> str:
    example = "postgresql://user:password@host:5432/name"
    url = reader.url(number, name, default, ("postgresql", "postgres"), example)
    if url and len(urlsplit(url).path) < 2:
        reader.wrong(number, f"{name} names no database.", f"Write it as {example}.")
        return default
    return url


def _outlets(reader: _Reader) -> tuple[str, ...]:
    name, outlets = "SIGNALBOX_CHECKPOINTS_TO", []
    for text in filter(None, map(str.strip, reader.text(name).split(","))):
        how, _, rest = text.partition(" ")
        url, _, vkey = rest.strip().partition(" ")
        parts = urlsplit(url)
        web = how in ("PUT", "POST", "WITNESS") and parts.scheme in ("http", "https")
        store = how == "PUT" and re.fullmatch(r"s3://[a-z0-9.-]+(/(?!\.\.?(/|$))[\w{}!*'().=+-]+)+", url)
        if not (web or store) or not parts.hostname:
            hint = "Give PUT, POST or WITNESS and an address, with commas between: PUT https://host/{size}.txt, PUT s3://bucket/{size}."
            reader.wrong(50, f"{name} names {how!r}, which is nowhere to bring a checkpoint to.", hint)
        elif (how == "WITNESS") != (vkey.count("+") >= 2):
            hint = "Write WITNESS https://host/ name+12345678+base64; PUT and POST go without a key."
            reader.wrong(51, f"{name} needs the witness's key behind its address, and no key elsewhere.", hint)
        else:
            outlets.append(text)
    return tuple(outlets)


def _mail_from(reader: _Reader) -> str:
    text = reader.text("SIGNALBOX_MAIL_FROM", "signalbox@localhost")
    if "@" not in text or any(mark in text for mark in "\r\n"):
        reader.wrong(15, f"SIGNALBOX_MAIL_FROM is {text!r}.", "Give an e-mail address, such as signalbox@example.com.")
        return "signalbox@localhost"
    return text


def credentials(parts: SplitResult) -> tuple[str, str]:
    """User name and password of an address, unquoted; empty where it has none."""
    return unquote(parts.username or ""), unquote(parts.password or "")
