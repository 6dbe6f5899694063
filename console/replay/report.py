"""The closing report of a replay: for people, or as JSON."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from console.replay.fates import Fates
from console.replay.run import Tally

VERDICTS = {"alone": "alone", "ask": "asked", "never": "never", "none": "no play"}
STATES = (
    "delivered", "refused", "failed", "unknown", "waiting", "held", "ready", "sending", "shadow", "rejected", "expired",
    "withdrawn",
)  # fmt: skip
MOST_REASONS = 6


def as_json(total: int, tally: Tally, fates: Fates) -> dict[str, Any]:
    """Everything the report says, by name."""
    signals, outcomes = tally.signals, tally.outcomes
    by_connection: dict[str, dict[str, int]] = {}
    for (connection, state), count in sorted(fates.actions.items()):
        by_connection.setdefault(connection, {})[state] = count
    return {
        "lines": total,
        "accounted": tally.accounted,
        "accepted": signals.accepted,
        "duplicate": signals.duplicate,
        "dead": signals.dead,
        "refused": len(signals.refused),
        "unreadable": tally.bad,
        "skipped": tally.skipped,
        "seconds": round(tally.seconds, 2),
        "signals": dict(fates.signals),
        "runs": dict(_by(1, fates.runs)),
        "actions": dict(_by(1, fates.actions)),
        "by_connection": by_connection,
        "refusals": dict(fates.refusals.most_common()),
        "delivered_ms": {name: fates.percentile(share) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))},
        "left": tally.left,
        "outcomes": {
            "accepted": outcomes.accepted,
            "duplicate": outcomes.duplicate,
            "refused": len(outcomes.refused),
        },
        "ends": [
            {"kind": kind, "agent": agent, "acted": acted, "runs": runs, "hits": hits}
            for (kind, agent, acted), (runs, hits) in sorted(fates.ends.items())
        ],
    }


def as_lines(total: int, tally: Tally, fates: Fates) -> Iterator[str]:
    """The report for a terminal."""
    found = as_json(total, tally, fates)
    rate = f" in {tally.seconds:.1f} s, {tally.accounted / tally.seconds:,.0f} a second" if tally.seconds else ""
    yield f"{tally.accounted:,} of {total:,} lines{rate}"
    names = ("accepted", "duplicate", "dead", "refused", "unreadable", "skipped")
    yield _row("signals", {name: found[name] for name in names}, always=("accepted", "duplicate", "dead"))
    others = {"unheard": "nobody listens", "faulty": "could not be decided", "new": "not decided yet"}
    if some := {words: fates.signals[state] for state, words in others.items() if fates.signals[state]}:
        yield _row("", some)
    yield _row("runs", {VERDICTS[key]: found["runs"].get(key, 0) for key in VERDICTS})
    yield _row("actions", {state: found["actions"].get(state, 0) for state in STATES})
    for slug, states in found["by_connection"].items():
        yield _row(f"  {slug}", {state: states.get(state, 0) for state in STATES})
    for why, count in fates.refusals.most_common(MOST_REASONS):
        yield f"  refused {count:,}: {why}"
    if fates.seconds:
        times = ", ".join(f"{name} {_time(ms)}" for name, ms in found["delivered_ms"].items())
        yield f"{'received to delivered':<22}{times} (of {len(fates.seconds):,} that waited for nobody)"
    if fates.ends:
        yield _row("outcomes", found["outcomes"], always=("accepted", "duplicate"))
    for end in found["ends"]:
        share = f"{100 * end['hits'] / end['runs']:.1f} %" if end["runs"] else "none"
        group = "acted on" if end["acted"] else "the rest"
        yield f"  {end['agent']}, {group}: {end['hits']:,} of {end['runs']:,} ended in {end['kind']}, {share}"
    yield from tally.refused
    if tally.left:
        yield f"{tally.left:,} signals are still under way: see Runs, or do the same again to look once more."


def _row(title: str, counts: dict[str, int], *, always: tuple[str, ...] = ()) -> str:
    said = ", ".join(f"{name} {n:,}" for name, n in counts.items() if n or name in always)
    return f"{title:<22}{said or 'none'}"


def _by(place: int, counts: Counter[tuple[str, str]]) -> Counter[str]:
    by: Counter[str] = Counter()
    for key, count in counts.items():
        by[key[place]] += count
    return by


def _time(ms: float | None) -> str:
    return "–" if ms is None else f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"
