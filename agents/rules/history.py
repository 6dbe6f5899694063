"""What an agent remembers of an account: a small bounded JSON state, and the facts that scorecards read from it.

State: {"last": up to 10 runs, newest first, "days": {"2026-11-21": signals}, "plays": {"2026-11-21": plays}}, both
counts for the 30 days up to the newest. Days are UTC days, so "7 days" is today and the six before.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from agents.rules.reasons import Reason

State = dict[str, Any]

LAST = 10
DAYS = 30


def fold(
    state: State | None,
    *,
    signal: str,
    type: str,
    at: datetime,
    run: str,
    score: int,
    play: str | None,
    agent: str,
) -> State:
    """The state with one more run in it. Never changes `state`. Late ones find their place by `at` (aware).

    A signal that several agents handle is counted once, a run that is folded twice counts once.
    """
    old: State = state or {}
    last: list[dict[str, Any]] = old.get("last", [])
    days, plays = dict(old.get("days", {})), dict(old.get("plays", {}))
    if any(entry["run"] == run for entry in last):
        return {"last": list(last), "days": days, "plays": plays}
    moment = at.astimezone(UTC)
    day = moment.date().isoformat()
    if all(entry["signal"] != signal for entry in last):
        days[day] = days.get(day, 0) + 1
    if play is not None:
        plays[day] = plays.get(day, 0) + 1
    entry = {
        "signal": signal,
        "type": type,
        "at": moment.isoformat(timespec="microseconds"),
        "run": run,
        "score": score,
        "play": play,
        "agent": agent,
    }
    place = next((i for i, other in enumerate(last) if other["at"] <= entry["at"]), len(last))
    last = [*last[:place], entry, *last[place:]][:LAST]
    return {"last": last, "days": _recent(days), "plays": _recent(plays)}


def facts(state: State | None, *, now: datetime) -> dict[str, Any]:
    """`signals_7d`, `signals_30d`, `plays_30d`, `last` (newest first), `last_type` and `minutes_since_last`; the last
    two are None, which conditions call missing, when nothing is remembered."""
    state = state or {}
    last: list[dict[str, Any]] = state.get("last", [])
    today = now.astimezone(UTC).date()
    month = (today - timedelta(days=DAYS - 1)).isoformat()
    week = (today - timedelta(days=6)).isoformat()
    days: dict[str, int] = state.get("days", {})
    found: dict[str, Any] = {
        "signals_7d": sum(count for day, count in days.items() if day >= week),
        "signals_30d": sum(count for day, count in days.items() if day >= month),
        "plays_30d": sum(count for day, count in state.get("plays", {}).items() if day >= month),
        "last": last,
        "last_type": None,
        "minutes_since_last": None,
    }
    if last:
        found["last_type"] = last[0]["type"]
        since = now - datetime.fromisoformat(last[0]["at"])
        found["minutes_since_last"] = max(0, int(since.total_seconds() // 60))
    return found


def cites(history: dict[str, Any]) -> list[str]:
    """The ids of the earlier runs that these facts (or this state) stand on, newest first."""
    return [entry["run"] for entry in history.get("last") or ()]


def history_reason(history: dict[str, Any]) -> Reason | None:
    """A reason of no weight that cites what went before on this account; None when nothing did."""
    last = history.get("last")
    if not last:
        return None
    newest = last[0]
    play = f" and chose {newest['play']}" if newest["play"] else ""
    return {
        "key": "history",
        "label": "Earlier on this account",
        "kind": "recency",
        "weight": 0,
        "outcome": "matched",
        "value": newest["type"],
        "why": f"{newest['agent']} scored {newest['type']} at {newest['score']}{play}",
        "cites": cites(history),
    }


def _recent(counts: dict[str, int]) -> dict[str, int]:
    if len(counts) <= 1:
        return counts
    oldest = (date.fromisoformat(max(counts)) - timedelta(days=DAYS - 1)).isoformat()
    return {day: count for day, count in counts.items() if day >= oldest}
