"""What every test stands on: engines, a database of its own, people, seeds.

Without DATABASE_URL and REDIS_URL embedded engines run for the session. A test within one process marks itself
`django_db`; a test with workers or a web server asks for `workspace`, whose database is copied from a migrated one.
"""

import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import django
import pytest

LONG = ("hostile", "browser", "engines", "demo", "replay")

_session = contextlib.ExitStack()


def _prepare() -> None:
    if "SIGNALBOX_TEST_VAR" not in os.environ:
        var = Path(tempfile.mkdtemp(prefix="signalbox-tests-"))
        var.chmod(0o711)
        (var / "static").mkdir()
        _session.callback(shutil.rmtree, var, ignore_errors=True)
        os.environ["SIGNALBOX_TEST_VAR"] = os.environ["SIGNALBOX_VAR"] = str(var)
        if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
            from tests.running import engines

            started = _session.enter_context(engines(var))
            os.environ.update({name: url for name, url in started.items() if not os.environ.get(name)})
    os.environ["DJANGO_SETTINGS_MODULE"] = "console.settings"
    django.setup()


_prepare()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from agents.loop.hot import hot  # noqa: E402
from tests import commits, told  # noqa: E402
from tests.running import Process, Web, Workspace, database, environment, with_database  # noqa: E402

told.install()
commits.install()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hostile", choices=["tenth", "full"], default="tenth", help="How much of HOSTILE to run")
    parser.addoption("--seed", type=int, default=int(time.time()), help="Seed of the random tests, to replay one")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders whose files take minutes first, so that no process is left waiting for another's last file."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption('seed')} (replay with --seed={config.getoption('seed')})"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if report.failed and {"rng", "seed"} & set(getattr(item, "fixturenames", ())):
        report.sections.append(("seed", f"--seed={item.config.getoption('seed')}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What HOSTILE's tests counted and timed, though they passed."""
    told = [
        (report.nodeid.rpartition("/")[2], line)
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and report.nodeid.startswith("tests/hostile/")
        for line in report.capstdout.splitlines()
    ]
    if told:
        terminalreporter.section("counted and timed")
        for name, line in told:
            terminalreporter.write_line(f"{name}: {line}")


def pytest_unconfigure(config: pytest.Config) -> None:
    connections.close_all()
    _session.close()


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The session's seed, printed at its start and with each failure."""
    return int(request.config.getoption("seed"))


@pytest.fixture
def rng(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """Random numbers that come again with the same --seed, whatever other tests run."""
    return random.Random(f"{seed}:{request.node.nodeid}")


@dataclass(frozen=True)
class Share:
    """How much of HOSTILE's full size this session runs."""

    full: bool

    def of(self, size: int, *, least: int = 1) -> int:
        """`size` in `make hostile`, a tenth of it (but at least `least`) in `make test`."""
        return size if self.full else max(least, size // 10)


@pytest.fixture(scope="session")
def hostile(request: pytest.FixtureRequest) -> Share:
    return Share(request.config.getoption("hostile") == "full")


def _worker_number(config: pytest.Config) -> int:
    return int(getattr(config, "workerinput", {}).get("workerid", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def _template(request: pytest.FixtureRequest, django_db_blocker) -> Iterator[str]:
    name = f"signalbox_{os.getpid()}_template"
    with (
        database(os.environ["DATABASE_URL"], name, template="template0"),
        django_db_blocker.unblock(),
        _default_database(name),
    ):
        call_command("migrate", verbosity=0)
        connections.close_all()
        yield name


@contextlib.contextmanager
def _default_database(name: str) -> Iterator[None]:
    chosen = settings.DATABASES["default"]
    before = chosen["NAME"]
    _let_go()
    chosen["NAME"] = name
    try:
        yield
    finally:
        _let_go()
        chosen["NAME"] = before


def _let_go() -> None:
    """Close what this process has open to the database of before: Django's connections, and the loop's own."""
    connections.close_all()
    hot.close()


@pytest.fixture
def workspace(request: pytest.FixtureRequest, _template: str, django_db_blocker) -> Iterator[Workspace]:
    """A database and a Redis of the test's own, which Django and the loop use in this process too. Commits are real."""
    name = f"signalbox_{os.getpid()}_{time.monotonic_ns()}"
    connections.close_all()
    with (
        database(os.environ["DATABASE_URL"], name, template=_template) as url,
        django_db_blocker.unblock(),
        _default_database(name),
    ):
        own = str(Path(os.environ["SIGNALBOX_TEST_VAR"]) / f"{name}.log")
        env = environment(DATABASE_URL=url, REDIS_URL=settings.REDIS_URL, SIGNALBOX_CHECKPOINTS=own)
        made = Workspace(url, settings.REDIS_URL, env)
        made.redis().flushdb()
        yield made


@pytest.fixture
def worker(workspace: Workspace) -> Iterator[Callable[..., Process]]:
    """Start workers with `worker(queues=…, concurrency=…)`; they are ended after the test."""
    with contextlib.ExitStack() as started:

        def start(**options: object) -> Process:
            process = workspace.worker(**options)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture
def live_web(workspace: Workspace) -> Iterator[Web]:
    """Gunicorn on the workspace; `live_web.url` is its address."""
    web = workspace.web()
    yield web
    web.kill()


@pytest.fixture(scope="session")
def _hash() -> str:
    from django.contrib.auth.hashers import make_password

    return make_password(PASSWORD)


PASSWORD = "platform nine at noon"


@pytest.fixture
def person(request: pytest.FixtureRequest, _hash: str) -> Callable[..., object]:
    """Make a person with `person("Dana", role="rep")`, signing in as dana@example.com with PASSWORD."""
    request.getfixturevalue("workspace" if "workspace" in request.fixturenames else "db")
    from approvals.models import Person

    def make(name: str, *, role: str = "rep", **fields: object) -> Person:
        email = f"{name.lower().replace(' ', '.')}@example.com"
        return Person.objects.create(email=email, name=name, role=role, password=_hash, **fields)

    return make


@pytest.fixture
def alice(person):
    """Alice owns agents."""
    return person("Alice", role="owner")


@pytest.fixture
def bob(person):
    """Bob is a rep: he decides what is asked of him."""
    return person("Bob", role="rep")


@pytest.fixture
def charlie(person):
    """Charlie is a stranger: an active person without any grant."""
    return person("Charlie", role="auditor")


if settings.REDIS_URL and "PYTEST_XDIST_WORKER" in os.environ:
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    settings.REDIS_URL = settings.CELERY_BROKER_URL = with_database(settings.REDIS_URL, str(number))
