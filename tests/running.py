"""Real processes for tests: a database of one's own, and the workers and web server that use it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
import redis
from psycopg import sql

from console.engines import ports, process
from console.engines.postgres import SUPERUSER, Postgres
from console.engines.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent


def until(true: Callable[[], object], *, seconds: float, what: str, pause: float = 0.02) -> None:
    """Wait until `true()` is, asking with `pause` between, or fail after `seconds` naming `what` did not happen."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"Not within {seconds:g} s: {what}")
        time.sleep(pause)


def with_database(url: str, name: str) -> str:
    """The same server's address of another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def engines(var: Path) -> Iterator[dict[str, str]]:
    """Embedded PostgreSQL and Valkey for as long as the block runs; yields their addresses as environment."""
    postgres, valkey = Postgres(var, "tests"), Valkey(var, "tests")
    postgres.prepare()
    valkey.prepare()
    children = []
    try:
        for engine in (postgres, valkey):
            child = process.spawn(engine.program())
            children.append((engine.program(), child))
            until(lambda e=engine, c=child: c.poll() is not None or e.ready(), seconds=60, what=f"{engine.name} ready")
            if child.poll() is not None:
                raise RuntimeError(f"{engine.name} ended: {engine.log.read_text()[-2000:]}")
        postgres.furnish()
        yield {"DATABASE_URL": postgres.url(SUPERUSER), "REDIS_URL": valkey.url}
    finally:
        process.end(children, said=print)


@dataclass
class Process:
    """A program under test, started as users do, ended by its process id."""

    argv: list[str]
    env: dict[str, str]
    name: str = "process"
    log: Path = field(default_factory=lambda: Path(tempfile.mkstemp(prefix="signalbox-test-", suffix=".log")[1]))
    cwd: Path = ROOT
    identity: process.Identity = field(default_factory=process.Identity)
    child: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        program = process.Program(self.name, self.argv, self.log, self.cwd, self.env, identity=self.identity)
        self.child = process.spawn(program)

    @property
    def pid(self) -> int:
        return self.child.pid

    def children(self) -> list[int]:
        """Process ids of what it started: for a worker, its prefork children."""
        return [each.pid for each in psutil.Process(self.pid).children(recursive=True)]

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def alive(self) -> bool:
        return self.child.poll() is None

    def ready(self, true: Callable[[], object], *, seconds: float = 30) -> "Process":
        """Wait until `true()` is; fail at once with the output if the program ends before that."""
        until(lambda: not self.alive() or true(), seconds=seconds, what=f"{self.name} ready:\n{self.output()[-2000:]}")
        assert self.alive(), f"{self.name} ended with {self.child.returncode}:\n{self.output()[-4000:]}"
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 15) -> int:
        """Send the signal and wait for the end; kill the whole session if that takes longer than `seconds`."""
        if self.alive():
            self.child.send_signal(number)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {seconds:g} s:\n{self.output()[-2000:]}") from None

    def kill(self) -> None:
        """Kill -9 the program and all in its session."""
        process.kill_group(self.child)
        self.child.wait()


@dataclass(frozen=True)
class Workspace:
    """A migrated database and an empty Redis that belong to one test. `env` is what a process needs to use them."""

    database_url: str
    redis_url: str
    env: dict[str, str]

    def connect(self) -> psycopg.Connection:
        """A plain connection of one's own, in autocommit."""
        return psycopg.connect(self.database_url, autocommit=True)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url)

    def worker(
        self, *, queues: str = "loop,sweep,paging,telling", concurrency: int = 2, env: dict[str, str] | None = None
    ):
        """Start a Celery prefork worker and wait until it consumes."""
        argv = [sys.executable, "-m", "celery", "-A", "console", "worker", "--loglevel", "INFO", "--without-gossip"]
        argv += ["--without-mingle", "-Q", queues, "-c", str(concurrency), "-n", f"w{time.monotonic_ns()}@%h"]
        started = Process(argv, self.env | (env or {}), name="worker")
        return started.ready(lambda: " ready." in started.output())

    def web(self, *, env: dict[str, str] | None = None) -> "Web":
        """Start gunicorn, configured as in production, on a free port, and wait until it answers."""
        port = ports.free_port()
        argv = [sys.executable, "-m", "gunicorn", "-c", "console/gunicorn.py", "console.wsgi:application"]
        given = self.env | {"PORT": str(port), "SIGNALBOX_DATABASE_POOL": "16"} | (env or {})
        started = Web(argv, given, name="web")
        started.url = f"http://127.0.0.1:{port}"
        started.ready(lambda: answers(f"{started.url}/health/live"))
        return started


class Web(Process):
    """A web server under test; `url` is its address, no slash at the end."""

    url: str


def answers(url: str) -> bool:
    """Whether a GET there is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def database(url: str, name: str, *, template: str) -> Iterator[str]:
    """A database copied from `template` for as long as the block runs; yields its address."""
    with psycopg.connect(with_database(url, "postgres"), autocommit=True) as admin:
        names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template])
        admin.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
        try:
            yield with_database(url, name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with `changes`."""
    return {**os.environ, **changes}
