"""Legal holds, whom the database lets take something out, and archiving that is killed."""

import os
import secrets
import subprocess
import sys
from datetime import UTC, date, datetime
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from audit.age import Rule, month_after, stretches
from audit.archive import ArchiveError, carry_out, due
from audit.entries import Line, append
from audit.holds import HoldError, release, set_hold
from audit.timeline import Filters, timeline
from console.engines.grants import grant
from tests.audit.ageing import ALL, OLD, RUN, bodies
from tests.running import ROOT, Process, until


@pytest.mark.parametrize(
    ("kind", "key", "more"),
    [
        ("agent", "inbound", {}),
        ("account", "acme.com", {}),
        ("run", str(RUN), {}),
        ("person", "ab" * 16, {}),
        ("person", "person:7", {}),
        ("period", "", {"since": datetime(OLD.year, OLD.month, 1, tzinfo=UTC)}),
    ],
)
def test_what_a_legal_hold_covers_stays_until_it_is_released(record, folder, kind, key, more):
    record.write(6)
    record.write(3, agent="inbound", run=RUN, account="acme.com", detail={"to": "person:7", "of": "ab" * 16})
    record.seal()
    record.rule(ALL)
    hold = set_hold(kind, key, actor="person:1", reason="court order 12/26", **more)
    (waiting,) = due(record.conn)
    kept = 9 if kind == "period" else 3
    assert (waiting.going, waiting.held) == (9 - kept, kept)
    record.go(folder)
    assert record.count() == kept
    assert record.verify().ok
    assert release(hold.id, actor="person:2", reason="settled")
    assert not release(hold.id, actor="person:2", reason="settled")
    record.go(folder)
    assert record.count() == 0
    report = record.verify()
    assert (report.ok, report.dropped) == (True, 9)
    assert [row.verb for row in timeline(Filters(subject=hold.reference))] == ["record.released", "record.held"]


def test_a_hold_says_what_it_is_on_and_why(record):
    for wrong in ({"kind": "agent"}, {"kind": "period"}, {"kind": "run", "key": "x"}, {"kind": "all", "key": "x"}):
        with pytest.raises(HoldError):
            set_hold(**wrong, actor="cli", reason="x")
    with pytest.raises(HoldError, match="Say why"):
        set_hold("agent", "inbound", actor="cli", reason=" ")


@pytest.fixture
def application(workspace):
    """A connection as the application's role, with the rights that migrating gives it."""
    name, password = f"app_{secrets.token_hex(4)}", secrets.token_hex(8)
    parts = urlsplit(workspace.database_url)
    place = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=f"{name}:{password}@{place}"))
    role = sql.Identifier(name)
    with workspace.connect() as owner:
        owner.execute(sql.SQL("create role {} login password {}").format(role, sql.Literal(password)))
        with owner.transaction():
            grant(owner.cursor(), name)
        with psycopg.connect(url, autocommit=True) as conn:
            yield conn
        owner.execute(sql.SQL("drop owned by {}").format(role))
        owner.execute(sql.SQL("drop role {}").format(role))


def test_the_applications_role_can_take_nothing_out(record, application, folder):
    record.write(5)
    record.seal()
    record.rule(ALL)
    part = f"audit_entry_y{OLD:%Y}m{OLD:%m}"
    values = f"'{OLD}', '', 1, false, '{UUID(int=0)}', '{UUID(int=1)}', 0, 1, 1, 1, '\\x{'00' * 32}', '{UUID(int=0)}'"
    columns = "month, verbs, months, archived, low, high, from_seq, to_seq, dropped, missing, root, entry"
    for statement in (
        f"alter table audit_entry detach partition {part}",
        f"drop table {part}",
        f"truncate {part}",
        "delete from audit_entry",
        f"insert into audit_aged ({columns}) values ({values})",
        "insert into audit_retention (version, rules, actor, reason, at) values (9, '[]', 'cli', 'x', '2020-01-01')",
        "update audit_retention set rules = '[]'",
        "delete from audit_legal_hold",
        "update audit_legal_hold set until = now()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(statement)
    (one,) = due(application)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        carry_out(application, one, folder=folder, actor="cli")
    for statement, noun in (
        ("insert into audit_retention (version, rules, actor, reason) values (2, '[]', 'cli', 'x') returning version",
         "retention"),
        ("insert into audit_legal_hold (kind, key, reason, actor) values ('agent', 'a', 'x', 'cli') returning id",
         "legal_hold"),
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="without an entry"):
            application.execute(statement)
        with application.transaction():
            (key,) = application.execute(statement).fetchone()
            append(application, [Line("record.ruled", f"{noun}:{key}", "cli")])
    assert record.count() == 5


def test_killed_at_any_point_the_same_again_goes_on(record, workspace, folder, var):
    ids = record.write(40)
    record.seal()
    record.rule(ALL)
    env = {**workspace.env, "SIGNALBOX_VAR": str(var), "PYTHONUNBUFFERED": "1"}
    for point in ("writing", "verifying", "dropping", "done"):
        argv = [sys.executable, "manage.py", "archive", "--go", "--to", str(folder)]
        process = Process(argv, env, name="archive")
        until(
            lambda p=process, word=point: not p.alive() or f"  {word}" in p.output(),
            seconds=30,
            what=point,
            pause=0.001,
        )
        process.kill()
        report = record.verify()
        assert report.ok, (point, report.problems)
        assert record.count() in (0, 40)
    last = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    assert record.count() == 0
    (stretch,) = stretches()
    assert [one["id"] for one in bodies(folder / stretch.file)] == [str(id) for id in ids]
    assert os.listdir(folder) == [stretch.file]
    assert record.verify().dropped == 40
    back = subprocess.run(
        [sys.executable, "manage.py", "archived", str(folder / stretch.file), "--holding", '"signal:7"'],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert back.returncode == 0, back.stderr
    assert len(back.stdout.splitlines()) == 1
    assert back.stdout.startswith("7  ")


def test_writers_of_today_are_kept_waiting_for_no_longer_than_promised(record, workspace, folder):
    record.write(5)
    record.seal()
    record.rule(ALL)
    with workspace.connect() as busy, busy.transaction():
        busy.execute("select 1 from audit_entry limit 1")
        with pytest.raises(ArchiveError, match="the same again goes on"):
            record.go(folder)
    assert record.count() == 5
    record.go(folder)
    assert record.count() == 0


def test_a_dry_run_changes_nothing(record, workspace, folder, var):
    record.write(5)
    record.seal()
    record.rule(ALL)
    env = {**workspace.env, "SIGNALBOX_VAR": str(var)}
    said = subprocess.run(
        [sys.executable, "manage.py", "archive", "--to", str(folder)],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{OLD:%Y-%m}: 5 entries go" in said.stdout, said.stderr
    assert "Nothing was changed" in said.stdout
    assert (record.count(), folder.exists()) == (5, False)


def test_months_are_reckoned_over_the_year():
    assert month_after(date(2026, 11, 21), 2) == date(2027, 1, 1)
    assert month_after(date(2026, 1, 31), -1) == date(2025, 12, 1)
    assert Rule("", 1).ends(date(2026, 11, 1)) == date(2027, 1, 1)


@pytest.mark.parametrize("key", ["kim@acme.example", "Kim", "ab" * 32, "person:x"])
def test_a_hold_on_a_person_names_them_by_hash_or_number(record, key):
    with pytest.raises(HoldError, match="32 hexadecimal digits"):
        set_hold("person", key, actor="cli", reason="x")
