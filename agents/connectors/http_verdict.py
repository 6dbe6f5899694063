"""I1's table: what an HTTP answer says about the action."""

import time
from email.utils import parsedate_to_datetime

from agents.connectors.contract import Verdict

LATEST = 86_400.0


def verdict_of(status: int, retry_after: str | None, *, now: float | None = None) -> tuple[Verdict, float | None]:
    """The verdict for a status and, for RETRY, the seconds to wait where the far side said so (at most a day)."""
    wait = seconds(retry_after, now=now)
    match status:
        case _ if 200 <= status < 300:
            return Verdict.DELIVERED, None
        case 429:
            return Verdict.RETRY, wait
        case 503 if wait is not None:
            return Verdict.RETRY, wait
        case _ if 300 <= status < 500 and status != 408:
            return Verdict.FAILED, None
        case _:
            return Verdict.UNKNOWN, None


def seconds(retry_after: str | None, *, now: float | None = None) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or a date; None where it says neither."""
    text = (retry_after or "").strip()
    if not text or len(text) > 64:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), LATEST)
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(at - (time.time() if now is None else now), 0.0), LATEST)
