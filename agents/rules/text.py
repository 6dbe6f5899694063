"""Making text from outside fit to keep: no control characters, no surplus space, bounded length."""

from __future__ import annotations

import re
from typing import Any

import idna

MAX_TEXT = 200
EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
# fmt: off
FREE_MAIL = frozenset((
    "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com",
    "yahoo.com", "icloud.com", "me.com", "aol.com", "proton.me", "protonmail.com",
    "gmx.com", "gmx.net", "gmx.de", "web.de", "mail.com", "zoho.com",
    "yandex.com", "qq.com", "163.com",
))
# fmt: on


def tidy(text: str, limit: int = MAX_TEXT) -> str:
    """The text on one line, without control characters, stripped, cut to `limit` characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
        text = " ".join(text.split())
    return text.strip()[:limit].rstrip()


def as_label(fact: Any, limit: int = MAX_TEXT) -> str:
    """A fact as a name or key: tidied text, or a number's digits; "" for anything that is neither."""
    if isinstance(fact, str):
        return tidy(fact, limit)
    if isinstance(fact, bool):
        return ""
    if isinstance(fact, int):
        return str(fact)
    return str(int(fact)) if isinstance(fact, float) and fact.is_integer() else ""


def as_email(fact: Any) -> str | None:
    """The address in lower case, its domain as mail goes there, or None when it is not one. Looks at its shape only."""
    if not isinstance(fact, str) or len(fact) > 254:
        return None
    address = fact.strip().lower()
    if not EMAIL.fullmatch(address):
        return None
    name, _, domain = address.rpartition("@")
    try:
        return f"{name}@{ascii_domain(domain)}"
    except ValueError:
        return None


def ascii_domain(domain: str) -> str:
    """The domain in lower-case ASCII: bücher.example is xn--bcher-kva.example. ValueError when it is none (IDNA)."""
    if domain.isascii():
        return domain.lower()
    if len(domain) > 254:
        raise ValueError("a domain has at most 254 characters")
    return idna.encode(domain, uts46=True, std3_rules=True).decode()
