"""
`python -m bench.shoppers FILE`: the whole way by real processes, and whether what the record says was delivered is
exactly what the far sides hold. Prints the report of `manage.py replay` and the checks; 1 when one does not hold.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from bench.shoppers.far import Mailbox, far_sides
from tests.running import ROOT, Process, Workspace, database, engines, environment, with_database

EVERY = 25
"""Of so many sessions one visitor has asked not to be written to."""
HELD = """
SELECT c.kind, a.id::text FROM agents_action a JOIN agents_connection c ON c.id = a.connection_id
WHERE a.state = 'delivered'
"""
ENTRIES = "SELECT count(DISTINCT subject) FROM audit_entry WHERE verb = 'action.delivered'"


def main() -> int:
    """Build, replay, check; then stay until Enter if asked to."""
    options = _options()
    file = Path(options.file).resolve()
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signalbox-shop-")))
        var.chmod(0o711)
        urls = stack.enter_context(engines(var))
        receiver, mailbox = stack.enter_context(far_sides())
        space = _workspace(stack, urls, var)
        lines = sum(1 for _ in file.open(errors="replace"))
        unwilling = [f"{file.name}#{line}" for line in range(2, lines + 1, EVERY)]
        order = {"receiver": receiver.url, "smtp_port": mailbox.port, "unwilling": unwilling}
        _run(space, "-m", "bench.shoppers.build", json.dumps(order))
        url = _processes(stack, space, workers=options.workers)
        report = _replay(space, file, url, rate=options.rate)
        again = _replay(space, file, url, rate=0)
        checks = _check(space, receiver.counts, mailbox, report, again, lines=lines - 1)
        print(json.dumps({"checks": checks}, indent=1))
        if options.stay:
            _run(space, "manage.py", "admin", "admin@shop.example", said=None)
            input(f"{url}/agents/basket-rescue  Enter ends it. ")
    return 0 if all(checks.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.shoppers", description=__doc__)
    parser.add_argument("file", help="online_shoppers_intention.csv, or a file of its shape")
    parser.add_argument("--rate", type=float, default=0, help="sessions a second; left out: flat out")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stay", action="store_true", help="keep it running afterwards, to look at the pages")
    return parser.parse_args()


def _workspace(stack: ExitStack, urls: dict[str, str], var: Path) -> Workspace:
    url = stack.enter_context(database(urls["DATABASE_URL"], "shop", template="template0"))
    own = {"SIGNALBOX_VAR": str(var), "SIGNALBOX_DEMO": "0"}
    env = environment(DATABASE_URL=url, REDIS_URL=with_database(urls["REDIS_URL"], "1"), **own)
    space = Workspace(url, env["REDIS_URL"], env)
    _run(space, "manage.py", "prepare")
    return space


def _processes(stack: ExitStack, space: Workspace, *, workers: int) -> str:
    web = space.web()
    stack.callback(web.kill)
    for queues, concurrency in (("loop", workers), ("sweep,paging", 1)):
        stack.callback(space.worker(queues=queues, concurrency=concurrency).kill)
    for name, argv in (("sealer", ["manage.py", "seal"]), ("beat", ["-m", "celery", "-A", "console", "beat"])):
        more = ["-l", "WARNING", "--pidfile="] if name == "beat" else []
        stack.callback(Process([sys.executable, *argv, *more], space.env, name=name).kill)
    return web.url


def _replay(space: Workspace, file: Path, url: str, *, rate: float) -> dict[str, Any]:
    argv = ["manage.py", "replay", str(file), "--source", "shop", "--url", url, "--outcome", "Revenue=TRUE", "--json"]
    said = subprocess.run(
        [sys.executable, *argv, "--rate", str(rate)], cwd=ROOT, env=space.env, check=True, stdout=subprocess.PIPE
    )
    report: dict[str, Any] = json.loads(said.stdout)
    print(json.dumps(report, indent=1), flush=True)
    return report


def _check(
    space: Workspace,
    received: Counter[str],
    mailbox: Mailbox,
    report: dict[str, Any],
    again: dict[str, Any],
    *,
    lines: int,
) -> dict[str, bool]:
    time.sleep(2)
    with space.connect() as sql:
        rows = sql.execute(HELD).fetchall()
        entries = sql.execute(ENTRIES).fetchone()
    said = {kind: {id for k, id in rows if k == kind} for kind in ("http", "email")}
    verify = subprocess.run([sys.executable, "manage.py", "verify"], cwd=ROOT, env=space.env, capture_output=True)
    print(verify.stdout.decode().strip())
    return {
        "every line is accounted for": report["lines"] == report["accounted"] == report["accepted"] == lines,
        "a repeat is all duplicates": again["duplicate"] == lines and again["outcomes"]["accepted"] == 0,
        "the receiver holds what the record says": set(received) == said["http"],
        "the SMTP server holds what the record says": set(mailbox.counts) == said["email"],
        "each once": set(received.values()) == set(mailbox.counts.values()) == {1},
        "each delivery has its entry": entries is not None and entries[0] == len(rows),
        "1,000 delivered by each channel": min(map(len, said.values())) >= 1000,
        "100 refused": report["actions"].get("refused", 0) >= 100,
        "the record verifies": verify.returncode == 0,
    }


def _run(space: Workspace, *argv: str, said: int | None = subprocess.DEVNULL) -> None:
    subprocess.run([sys.executable, *argv], env=space.env, cwd=ROOT, check=True, stdout=said)


if __name__ == "__main__":
    sys.exit(main())
