"""What an action would send, in brief: for the record, which keeps for years what a mail keeps for a day."""

from __future__ import annotations

from typing import Any

MOST_TEXT, MOST_PARTS, DEEPEST = 2000, 50, 4


def brief(payload: Any, *, deep: int = 0) -> Any:
    """The payload with long texts cut at MOST_TEXT characters, long lists and objects at MOST_PARTS, and what lies
    deeper than DEEPEST left out; each cut shows as "…". The payload itself where nothing is long."""
    if isinstance(payload, str):
        return payload if len(payload) <= MOST_TEXT else payload[:MOST_TEXT] + "…"
    if isinstance(payload, dict | list) and deep >= DEEPEST:
        return "…"
    if isinstance(payload, dict):
        out = {str(key)[:200]: brief(part, deep=deep + 1) for key, part in list(payload.items())[:MOST_PARTS]}
        return out if len(payload) <= MOST_PARTS else {**out, "…": len(payload) - MOST_PARTS}
    if isinstance(payload, list):
        return [brief(part, deep=deep + 1) for part in payload[:MOST_PARTS]] + ["…"] * (len(payload) > MOST_PARTS)
    return payload
