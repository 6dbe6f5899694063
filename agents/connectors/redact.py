"""Keeps secrets out of what is stored: an answer may echo what it was asked with."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "•••"


class Redactor:
    """Masks the given secrets wherever they appear, also as JSON text, percent-encoded or in base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in filter(None, secrets):
            forms |= {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
            forms.add(base64.b64encode(secret.encode()).decode().rstrip("="))
        self._forms = sorted(forms, key=len, reverse=True)
        self._bytes = [(form.encode(), MASK.encode()) for form in self._forms]

    def text(self, text: str) -> str:
        """`text` with every secret masked."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def bytes(self, data: bytes) -> bytes:
        """`data` with every secret masked."""
        for form, mask in self._bytes:
            if form in data:
                data = data.replace(form, mask)
        return data
