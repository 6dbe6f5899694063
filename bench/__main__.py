"""
`make bench`, or `python -m bench`: Signalbox and the naive way in turn on the same engines, and the ratios.

The run is honest: fsync and synchronous_commit on, four entries a signal, sealing on, idle pauses present, and
`verify` at the end. Everything a user runs is running; the load and the receiver share the machine's cores with it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench import measure, stack
from bench.stack import Running
from tests.running import ROOT, engines

WARM_UP = 200
"""Signals before each measurement that no figure counts."""
CHECKS = """
SELECT (SELECT count(*) FROM agents_signal), (SELECT count(*) FROM agents_run), (SELECT count(*) FROM audit_entry),
       (SELECT count(*) FROM agents_action WHERE state = 'delivered'), current_setting('fsync'),
       current_setting('synchronous_commit')
"""


def main() -> int:
    """Run the rounds and print the tables; 1 when a check fails."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as var:
        rounds = _rounds(options, Path(var))
    _print(rounds)
    (ROOT / "var").mkdir(exist_ok=True)
    (ROOT / "var" / "bench.json").write_text(json.dumps(rounds, indent=1))
    print("\nAll figures: var/bench.json")
    return 0 if all(one["checks"]["holds"] for one in rounds) else 1


def _rounds(options: argparse.Namespace, var: Path) -> list[dict[str, Any]]:
    with engines(var) as urls, stack.receiver() as far:
        running = stack.engine_groups(var)
        return [_round(number, options, urls, running, far) for number in range(options.rounds)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--signals", type=int, default=20_000, help="for Signalbox, a round, one a POST")
    parser.add_argument("--naive", type=int, default=2_000, help="for the naive way, a round")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rate", type=int, default=50, help="signals a second in the open loop")
    parser.add_argument("--seconds", type=int, default=20, help="of the open loop")
    parser.add_argument("--workers", type=int, default=2, help="loop processes of Signalbox")
    return parser.parse_args()


def _round(number: int, options: argparse.Namespace, urls: Any, engine_pids: Any, far: str) -> dict[str, Any]:
    print(f"Round {number + 1} of {options.rounds}", flush=True)
    steady = {"signals": options.rate * options.seconds, "rate": options.rate}
    with stack.naive(engine_pids, urls, far) as system:
        measured = partial(measured_load, system, far, options, number=number)
        measured(signals=WARM_UP)
        plain = measured(signals=options.naive)
        plain_open = measured(**steady)
    with stack.signalbox(engine_pids, urls, far, workers=options.workers) as system:
        measured = partial(measured_load, system, far, options, number=number)
        idle = measure.memory_mb(system.groups)
        measured(signals=WARM_UP)
        ours = measured(signals=options.signals)
        ours_open = measured(**steady)
        batched = measured(signals=options.signals, batch=100)
        loaded = measure.memory_mb(system.groups)
        checks = _check(system, sent=WARM_UP + 2 * options.signals + options.rate * options.seconds)
    return {
        "naive": plain,
        "naive_open": plain_open,
        "signalbox": ours,
        "signalbox_open": ours_open,
        "signalbox_batched": batched,
        "memory_mb": {"idle": idle, "loaded": loaded},
        "checks": checks,
    }


def measured_load(
    system: Running, far: str, options: argparse.Namespace, *, signals: int, number: int, batch: int = 1, rate: int = 0
) -> dict[str, Any]:
    """One load on `system`, by the load generator's own process: its figures, and the processor time of each stage."""
    order = {
        "url": system.url,
        "receiver": far,
        "headers": system.headers,
        "clients": options.clients,
        "signals": signals,
        "rate": rate,
        "batch": batch,
        "seed": number + 1,
        "name": f"{system.name}-{time.monotonic_ns()}",
    }
    before = measure.cpu_seconds(system.groups)
    said = subprocess.run(
        [sys.executable, "-m", "bench.load", json.dumps(order)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    result: dict[str, Any] = json.loads(said.stdout)
    after = measure.cpu_seconds(system.groups)
    result["cpu_ms"] = {name: round(1000 * (after[name] - before[name]) / signals, 3) for name in after}
    result["cpu_ms_all"] = round(sum(result["cpu_ms"].values()), 2)
    what = f"open loop at {rate}/s" if rate else f"{options.clients} clients, {batch} a POST"
    print(f"  {system.name}, {what}: {json.dumps(result)}", flush=True)
    return result


def _check(system: Running, *, sent: int) -> dict[str, Any]:
    """Everything recorded, durable and verifiable."""
    time.sleep(2)
    with system.workspace.connect() as connection:
        row = connection.execute(CHECKS).fetchone()
    assert row is not None
    signals, runs, entries, delivered, fsync, synchronous = row
    verify = subprocess.run(
        [sys.executable, "manage.py", "verify"], cwd=ROOT, env=system.workspace.env, capture_output=True, text=True
    )
    holds = (
        signals == runs == delivered == sent
        and entries >= 4 * signals
        and (fsync, synchronous) == ("on", "on")
        and verify.returncode == 0
    )
    found = {
        "signals": signals,
        "delivered": delivered,
        "entries_a_signal": round(entries / max(1, signals), 2),
        "fsync": fsync,
        "synchronous_commit": synchronous,
        "verify": verify.stdout.strip().splitlines()[-1:] or verify.stderr.strip()[-300:],
        "holds": holds,
    }
    print(f"  checks: {json.dumps(found)}", flush=True)
    return found


def _print(rounds: list[dict[str, Any]]) -> None:
    def middle(system: str, figure: str) -> float:
        return round(statistics.median(one[system][figure] for one in rounds), 2)

    print(f"\nMedians of {len(rounds)} rounds\n{'':34}{'naive':>12}{'Signalbox':>12}{'ratio':>10}")
    for label, figure in (
        ("end to end, signals/s", "end_to_end_per_s"),
        ("accepted, signals/s", "accepted_per_s"),
        ("CPU ms a signal", "cpu_ms_all"),
        ("drained after last accept, s", "drained_after_s"),
    ):
        plain, ours = middle("naive", figure), middle("signalbox", figure)
        print(f"{label:34}{plain:>12}{ours:>12}{ours / plain if plain else 0:>10.2f}")
    for figure in ("p50_ms", "p95_ms", "p99_ms"):
        plain, ours = middle("naive_open", figure), middle("signalbox_open", figure)
        print(f"{'at a steady rate, ' + figure:34}{plain:>12}{ours:>12}{ours / plain:>10.2f}")
    print(f"{'100 a POST, signals/s':34}{'':>12}{middle('signalbox_batched', 'end_to_end_per_s'):>12}")
    print("CPU ms a signal by stage:", rounds[-1]["signalbox"]["cpu_ms"])
    for when, groups in rounds[-1]["memory_mb"].items():
        print(f"Memory {when}, MB: {groups} = {sum(groups.values()):.0f}")


if __name__ == "__main__":
    sys.exit(main())
