"""The programs that make up a running Signalbox, engines apart."""

import sys
from collections.abc import Mapping
from pathlib import Path

from console.engines.process import Program

WORKER_GRACE = 35.0
"""Seconds a worker may take to finish what it is sending: longer than Celery's soft shutdown."""


def services(*, root: Path, var: Path, env: Mapping[str, str], workers: int, demo: bool) -> list[list[Program]]:
    """Programs in the order they are stopped in: each group together, the next when it has ended.

    `workers` is how many processes work the loop; `demo` sends the demo workspace its signals.
    """

    def program(name: str, *argv: str, grace: float = 10.0, **extra: str) -> Program:
        return Program(name, [sys.executable, *argv], var / "log" / f"{name}.log", root, {**env, **extra}, grace=grace)

    def worker(name: str, queues: str, processes: int) -> Program:
        celery = ["-m", "celery", "-A", "console", "worker", "--loglevel", "WARNING", "--without-gossip"]
        celery += ["--without-mingle", "-Q", queues, "-c", str(processes), "-n", f"{name}@%h"]
        return program(name, *celery, grace=WORKER_GRACE)

    (var / "beat").mkdir(mode=0o700, exist_ok=True)
    first = [
        program("web", "-m", "gunicorn", "-c", "console/gunicorn.py", SIGNALBOX_DATABASE_POOL="16"),
        worker("worker", "loop", workers),
        worker("keeper", "sweep,paging,telling", 3),
        program("beat", "-m", "celery", "-A", "console", "beat", "--loglevel", "WARNING", "--pidfile="),
    ]
    if demo:
        first.append(program("trickle", "manage.py", "demo", "--trickle"))
    return [first, [program("sealer", "manage.py", "seal")]]
