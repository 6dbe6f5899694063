"""`make run` and `manage.py up`, started for real on folders of their own."""

import json
import os
import re
import shutil
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest

from console.engines import process
from tests.running import Process, environment, until

UP = [sys.executable, "manage.py", "up"]
ENGINES = {"DATABASE_URL": "", "REDIS_URL": "", "SIGNALBOX_DEMO": "0"}


started: list["Started"] = []


@pytest.fixture(autouse=True)
def _all_ended():
    yield
    while started:
        started.pop().kill()


class Started(Process):
    """A Signalbox on the data folder `var`; ended, at the latest, when the test is."""

    def __init__(self, var: Path, argv: list[str] = UP, *, uid: int | None = None, **env: str) -> None:
        who = process.Identity(uid, uid, namespace=uid is not None)
        super().__init__(argv, environment(**{**ENGINES, **env}, SIGNALBOX_VAR=str(var)), "up", identity=who)
        started.append(self)

    def address(self) -> str:
        self.ready(lambda: "Ctrl-C stops it" in self.output(), seconds=90)
        return re.search(r"Signalbox is at (\S+)", self.output())[1]

    def family(self) -> list[psutil.Process]:
        own = psutil.Process(self.pid)
        return [own, *own.children(recursive=True)]

    def named(self, word: str) -> psutil.Process:
        return next(each for each in self.family() if any(word in part for part in each.cmdline()))


def gone(family: list[psutil.Process], *, seconds: float) -> None:
    """Fail unless every one of these has ended within `seconds`."""
    left = psutil.wait_procs(family, timeout=seconds)[1]
    left = [each for each in left if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert not left, [each.cmdline() for each in left]


def status(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def var(tmp_path_factory):
    """A data folder with a space and a quote in its name, on which Signalbox was started once and stopped."""
    folder = tmp_path_factory.mktemp("a folder") / 'with "spaces"'
    first = Started(folder, PORT="8000")
    first.address()
    family = first.family()
    began = time.monotonic()
    assert first.stop(signal.SIGINT) == 0, first.output()
    print(f"stopped after {time.monotonic() - began:.1f} s")
    gone(family, seconds=1)
    return folder


def test_a_stopped_signalbox_leaves_its_data_and_no_addresses(var):
    assert not (var / "run" / "engines.json").exists()
    assert (var / "postgres" / "PG_VERSION").exists()
    for kept in ("secrets.json", "log/web.log", "log/postgres.log"):
        assert (var / kept).stat().st_mode & 0o077 == 0


def test_a_given_redis_that_does_not_answer_is_named_before_anything_is_said_to_be_ready(var):
    up = Started(var, REDIS_URL="redis://127.0.0.1:1/0")
    assert up.child.wait(60) == 1
    assert "REDIS_URL does not answer" in up.output()
    assert "Signalbox is at" not in up.output()


def test_it_answers_on_another_port_refuses_a_second_start_and_mends_what_dies(var):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = Started(var, ["make", "--no-print-directory", "run"], PORT=str(port))
        address = up.address()
    assert f"Port {port} is taken" in up.output()
    assert not address.endswith(f":{port}")
    until(lambda: _ready(address), seconds=30, what="everything ready")
    checks = status(f"{address}/health/ready")["checks"]
    assert {"database", "migrations", "redis", "workers", "sealer"} <= {n for n, each in checks.items() if each["ok"]}

    the_application_can_only_add_to_the_record(json.loads((var / "run" / "engines.json").read_text())["DATABASE_URL"])

    second = Started(var)
    assert second.child.wait(30) == 1
    assert f"already running at {address}" in second.output()

    for victim in [up.named(word) for word in ("gunicorn", "postgres", "valkey-server")]:
        victim.kill()
    until(lambda: up.output().count("starting it again") >= 3, seconds=5, what="three programs seen to have ended")
    until(lambda: _ready(address), seconds=30, what="ready again")

    family = up.family()
    os.kill(up.pid, signal.SIGKILL)
    gone(family, seconds=20)


def the_application_can_only_add_to_the_record(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        sealed = [table for table in tables if table.startswith(("audit_entry", "audit_leaf", "audit_checkpoint"))]
        assert len(sealed) > 3
        for table in sealed:
            for change in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"DROP TABLE {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(change)
        rights = "SELECT has_any_column_privilege(%s, 'INSERT'), has_any_column_privilege(%s, 'UPDATE')"
        for table in ("audit_entry", "audit_leaf", "audit_checkpoint"):
            assert connection.execute(rights, [table, table]).fetchone() == (True, False)


def _ready(address: str) -> bool:
    try:
        return status(f"{address}/health/ready")["status"] == "ok"
    except OSError:
        return False


def test_killed_it_leaves_no_orphan_and_starts_again_on_what_is_left(var):
    up = Started(var)
    up.address()
    family = up.family()
    os.kill(up.named("console.engines").pid, signal.SIGKILL)
    again = Started(var)
    again.address()
    gone(family, seconds=1)
    assert again.stop(signal.SIGHUP) == 0


def test_a_strangers_number_in_the_way_is_seen_through_and_a_stop_while_starting_obeyed(var):
    (var / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{var / 'postgres'}\n")
    up = Started(var)
    up.ready(lambda: "Valkey" in up.output())
    family = up.family()
    assert up.stop(signal.SIGTERM) == 0
    gone(family, seconds=1)


def test_it_runs_as_the_other_kind_of_user_under_a_path_too_long_for_a_socket(var, tmp_path):
    """The tests' own user, root or ordinary, ran the rest; a user namespace shows Signalbox the other kind."""
    deep = tmp_path / ("deep" * 30)
    shutil.copytree(var, deep, ignore=shutil.ignore_patterns("log", "run", "beat"))
    up = Started(deep, uid=1000 if os.geteuid() == 0 else 0)
    assert status(f"{up.address()}/health/live") == {"status": "ok"}
    family = up.family()
    assert up.stop(signal.SIGINT) == 0
    gone(family, seconds=1)


def test_wrong_settings_are_named_before_anything_starts(tmp_path):
    up = Started(tmp_path / "var", PORT="eighty", SIGNALBOX_TRUSTED_PROXIES="nobody")
    assert up.child.wait(30) == 1
    assert "signalbox.E001" in up.output()
    assert "signalbox.E004" in up.output()
    assert not (tmp_path / "var" / "postgres").exists()
