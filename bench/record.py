"""
`python -m bench.record`: a short and a long record, and what asking them costs: pages, searches, exports, verify.

Both sizes are asked in turn in the same run. A page is the whole answer of the console as its reader gets it. With
DATABASE_URL and REDIS_URL the databases are made there, else on engines of its own.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.running import ROOT, engines, with_database

EXPORTED = 100_000
MOST_RATIO, MOST_MS = 1.5, 150.0
STRETCH = 200_000
"""Entries of which verify's speed is told on its own."""


def main() -> None:
    """Make what is not there, ask in turns, print the table."""
    options = _options()
    if options.part:
        PARTS[options.part](options)
        return
    with ExitStack() as stack:
        given = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
        if not all(given.values()):
            var = stack.enter_context(tempfile.TemporaryDirectory(prefix="signalbox-bench-"))
            given = stack.enter_context(engines(Path(var)))
        _compare(options, given)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.record", description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000, help="of the long record")
    parser.add_argument("--short", type=int, default=10_000, help="of the short one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reads", type=int, default=20, help="of each question, a round")
    parser.add_argument("--name", default="record_bench", help="how the databases' names begin")
    parser.add_argument("--keep", action="store_true", help="leave the databases, to ask again")
    parser.add_argument("--only-make", action="store_true")
    parser.add_argument("--part", choices=sorted(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--round", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare(options: argparse.Namespace, given: dict[str, str]) -> None:
    sizes = {"short": options.short, "long": options.entries}
    try:
        for which, size in sizes.items():
            _make(f"{options.name}_{which}", size, given)
        if options.only_make:
            return
        asked: dict[str, dict[str, list[float]]] = {which: {} for which in sizes}
        for turn in range(options.rounds):
            for which in sizes:
                extra = ["--reads", str(options.reads), "--round", str(turn)]
                for name, times in _child("ask", f"{options.name}_{which}", given, *extra).items():
                    asked[which].setdefault(name, []).extend(times)
        _print(asked, sizes)
        for part in ("export", "verify"):
            print(
                f"{part}, {sizes['long']:,} entries: {json.dumps(_child(part, f'{options.name}_long', given))}",
                flush=True,
            )
    finally:
        if not (options.keep or options.only_make):
            with psycopg.connect(given["DATABASE_URL"], autocommit=True) as server:
                for which in sizes:
                    drop = sql.SQL("drop database if exists {} with (force)")
                    server.execute(drop.format(sql.Identifier(f"{options.name}_{which}")))


def _make(name: str, size: int, given: dict[str, str]) -> None:
    with psycopg.connect(given["DATABASE_URL"], autocommit=True) as server:
        if server.execute("select from pg_database where datname = %s", [name]).fetchone() is not None:
            return
        server.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    print(f"Making a record of {size:,} entries", flush=True)
    began = time.monotonic()
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=_env(name, given), check=True)
    _child("make", name, given, "--entries", str(size))
    print(f"  took {time.monotonic() - began:.0f} s", flush=True)


def _child(part: str, name: str, given: dict[str, str], *extra: str) -> Any:
    argv = [sys.executable, "-m", "bench.record", "--part", part, *extra]
    said = subprocess.run(argv, cwd=ROOT, env=_env(name, given), check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def _env(name: str, given: dict[str, str]) -> dict[str, str]:
    var = Path(tempfile.gettempdir()) / f"signalbox-{name}"
    var.mkdir(exist_ok=True)
    return {
        **os.environ, **given, "DATABASE_URL": with_database(given["DATABASE_URL"], name), "SIGNALBOX_VAR": str(var),
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }  # fmt: skip


def _print(asked: dict[str, dict[str, list[float]]], sizes: dict[str, int]) -> None:
    print(f"\n{'p95 in ms (median)':40}{sizes['short']:>18,}{sizes['long']:>18,}{'ratio':>8}")
    for name in asked["short"]:
        short, long = asked["short"][name], asked["long"][name]
        a, b = _p95(short), _p95(long)
        cells = "".join(f"{f'{p:.1f} ({statistics.median(m):.1f})':>18}" for p, m in ((a, short), (b, long)))
        missed = "  MISSED" if name.startswith("page") and (b > MOST_MS or b > MOST_RATIO * a) else ""
        print(f"{name:40}{cells}{b / a:>8.2f}{missed}", flush=True)


def _p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]


def _make_here(options: argparse.Namespace) -> None:
    from functools import partial

    from bench.record_maker import make
    from console.demo.build import build

    make(options.entries, said=partial(print, file=sys.stderr))
    build(password="only-for-the-bench-71")
    print("{}")


def _ask_here(options: argparse.Namespace) -> None:
    from django.test import Client

    from approvals.models import Person
    from audit.search import look

    client = Client(SERVER_NAME="localhost")
    client.force_login(Person.objects.filter(role="admin").earliest("pk"))
    times: dict[str, list[float]] = {}
    for name, params, filters in _questions(random.Random(options.round), options.reads):
        for kind, ask in (
            ("page", lambda params=params: client.get("/audit", params).status_code),
            ("read", lambda filters=filters: look(filters, limit=51) and 200),
        ):
            began = time.perf_counter()
            status = ask()
            if status != 200:
                raise SystemExit(f"{name}: {status} for {params}")
            times.setdefault(f"{kind}, {name}", []).append(1000 * (time.perf_counter() - began))
    print(json.dumps({name: times[name][1:] for name in sorted(times)}))


def _questions(rng: random.Random, reads: int) -> Iterator[tuple[str, dict[str, str], Any]]:
    """Each question so many times, with its own filter, in turns; the first of each only warms up."""
    from audit.models import Entry
    from audit.timeline import Filters
    from bench.record_maker import AGENTS, COMMON, RARE, REGIONS

    now = datetime.now(UTC)
    month, week = now - timedelta(days=30), now - timedelta(days=7)
    newest = Entry.objects.exclude(run=None).order_by("-id").values_list("run", flat=True)[:5000]
    runs = list(dict.fromkeys(newest))
    for _ in range(reads + 1):
        agent, region, run = rng.choice(AGENTS), rng.choice(REGIONS), rng.choice(runs)
        yield "first page", {}, Filters()
        within = {"agent": agent, "region": region, "since": f"{week:%Y-%m-%d %H:%M}"}
        yield "agent, region, week", within, Filters(agent=agent, regions=[region], since=week)
        for name, word in (("rare word", RARE), ("word of 1 %", COMMON)):
            yield name, {"q": word, "since": f"{month:%Y-%m-%d %H:%M}"}, Filters(text=word, since=month)
        yield "one run", {"run": str(run)}, Filters(run=run)
        yield "rare verb", {"verb": "pause.set"}, Filters(verb="pause.set")


def _export_here(options: argparse.Namespace) -> None:
    import psutil
    from django.test import Client

    from approvals.models import Person

    client, me, found = Client(SERVER_NAME="localhost"), psutil.Process(), {}
    client.force_login(Person.objects.filter(role="admin").earliest("pk"))
    for kind in ("csv", "ndjson", "html"):
        stream: Any = client.get(f"/audit/export.{kind}", {"since": "2020-01-01"}).streaming_content
        lines, size, first, peak, began = 0, 0, 0, 0, time.perf_counter()
        for piece in stream:
            lines, size = lines + piece.count(b"\n"), size + len(piece)
            if lines > 2_000:
                first = first or me.memory_info().rss
                peak = max(peak, me.memory_info().rss)
        took = time.perf_counter() - began
        found[kind] = {
            "lines": lines, "mb": round(size / 1e6, 1), "seconds": round(took, 1),
            "growth_mb": round((peak - first) / 1e6, 1),
        }  # fmt: skip
    print(json.dumps(found))


def _verify_here(options: argparse.Namespace) -> None:
    """By the clock, and by stretch for each second that the verifying process computes: a stretch that nothing else on
    the machine disturbs shows what it can do, the median what it did."""
    from audit.seal import direct_connection
    from audit.verify import verify

    marks = [(0, time.process_time())]

    def passed(done: int, of: int) -> None:
        if done - marks[-1][0] >= STRETCH or done == of:
            marks.append((done, time.process_time()))

    with direct_connection() as conn:
        began = time.perf_counter()
        report = verify(conn, progress=passed)
        took = time.perf_counter() - began
    rates = [(done - before) / (at - since) for (before, since), (done, at) in pairwise(marks)]
    print(json.dumps({"sealed": report.sealed, "ok": report.ok, "seconds": round(took, 1),
                      "entries_per_s": int(report.sealed / took), "a_cpu_second": int(statistics.median(rates)),
                      "best_a_cpu_second": int(max(rates))}))  # fmt: skip


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "make": _make_here, "ask": _ask_here, "export": _export_here, "verify": _verify_here,
}  # fmt: skip


if __name__ == "__main__":
    if "--part" in sys.argv:
        import django

        django.setup()
    main()
