"""The two systems under measure, each started as its users would, on the same engines, one after the other."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from audit.seal import health
from bench.workspace import KEY
from console.engines import ports
from tests.running import ROOT, Process, Workspace, answers, database, environment, until, with_database


@dataclass(frozen=True)
class Running:
    """A system ready for signals at `url`; `groups` are its processes by stage, the engines' among them."""

    name: str
    url: str
    headers: dict[str, str]
    groups: dict[str, list[int]]
    workspace: Workspace


@contextmanager
def receiver() -> Iterator[str]:
    """The far side; yields its address."""
    port = ports.free_port()
    process = Process([sys.executable, "-m", "bench.receiver", str(port)], environment(), name="receiver")
    url = f"http://127.0.0.1:{port}"
    try:
        process.ready(lambda: answers(f"{url}/stats"))
        yield url
    finally:
        process.kill()


@contextmanager
def signalbox(
    engines: dict[str, list[int]], urls: dict[str, str], far: str, *, workers: int, sealing: bool = True
) -> Iterator[Running]:
    """Web, `workers` loop processes, sealer, beat and keeper, as `manage.py up` runs them; without the sealer only to
    learn what it costs."""
    with ExitStack() as stack:
        name = f"bench_signalbox_{time.monotonic_ns()}"
        url = stack.enter_context(database(urls["DATABASE_URL"], name, template="template0"))
        var = stack.enter_context(tempfile.TemporaryDirectory(prefix="signalbox-bench-"))
        own = {"SIGNALBOX_VAR": var, "SIGNALBOX_DEMO": "0"}
        env = environment(DATABASE_URL=url, REDIS_URL=with_database(urls["REDIS_URL"], "1"), **own)
        _run(env, "manage.py", "migrate", "-v", "0")
        _run(env, "-m", "bench.workspace", far)
        space = Workspace(url, env["REDIS_URL"], env)
        web = space.web()
        stack.callback(web.kill)
        loop = space.worker(queues="loop", concurrency=workers)
        stack.callback(loop.kill)
        keeper = space.worker(queues="sweep,paging,telling", concurrency=3)
        stack.callback(keeper.kill)
        sealer = [_start(stack, env, "sealer", "manage.py", "seal").pid] if sealing else []
        beat = _start(stack, env, "beat", "-m", "celery", "-A", "console", "beat", "-l", "WARNING", "--pidfile=")
        with space.connect() as connection:
            until(lambda: not sealing or health(connection.cursor()).alive, seconds=60, what="the sealer at work")
        groups = {
            "web": [web.pid],
            "worker": [loop.pid],
            "sealer": sealer,
            "keeper": [keeper.pid, beat.pid],
            **engines,
        }
        headers = {"Authorization": f"Bearer {KEY}"}
        yield Running("signalbox", f"{web.url}/in/bench", headers, groups, space)


@contextmanager
def naive(engines: dict[str, list[int]], urls: dict[str, str], far: str) -> Iterator[Running]:
    """Gunicorn with 2 × 4 threads and a Celery worker with 4 children."""
    with ExitStack() as stack:
        name = f"bench_naive_{time.monotonic_ns()}"
        url = stack.enter_context(database(urls["DATABASE_URL"], name, template="template0"))
        env = environment(DATABASE_URL=url, REDIS_URL=with_database(urls["REDIS_URL"], "2"), RECEIVER=far)
        _run(env, "-m", "bench.naive.tables")
        port = ports.free_port()
        gunicorn = ["-m", "gunicorn", "bench.naive.app:application", "-b", f"127.0.0.1:{port}", "-w", "2"]
        web = _start(stack, env, "naive web", *gunicorn, "-k", "gthread", "--threads", "4", "--log-level", "error")
        celery = ["-m", "celery", "-A", "bench.naive.app:celery", "worker", "-c", "4", "-l", "WARNING"]
        worker = _start(stack, env, "naive worker", *celery, "-n", f"naive{port}@%h")
        web.ready(lambda: _listens(port))
        time.sleep(3)
        groups = {"web": [web.pid], "worker": [worker.pid], **engines}
        yield Running("naive", f"http://127.0.0.1:{port}/in", {}, groups, Workspace(url, env["REDIS_URL"], env))


def engine_groups(var: Path) -> dict[str, list[int]]:
    """The process ids of the embedded engines under `var`, by stage."""
    found: dict[str, list[int]] = {"postgres": [], "redis": []}
    for one in psutil.Process().children(recursive=True):
        command = one.name()
        if command.startswith("postgres") and one.ppid() == psutil.Process().pid:
            found["postgres"].append(one.pid)
        elif command.startswith(("valkey", "redis")):
            found["redis"].append(one.pid)
    return found


def _start(stack: ExitStack, env: dict[str, str], name: str, *argv: str) -> Process:
    process = Process([sys.executable, *argv], env, name=name)
    stack.callback(process.kill)
    return process


def _run(env: dict[str, str], *argv: str) -> None:
    subprocess.run([sys.executable, *argv], env=env, cwd=ROOT, check=True)


def _listens(port: int) -> bool:
    return any(one.laddr.port == port for one in psutil.net_connections("tcp") if one.status == "LISTEN")
