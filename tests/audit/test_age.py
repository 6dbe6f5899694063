"""Retention by rule, archives and legal holds, on a real PostgreSQL, the application's role apart from the owner's."""

import gzip
import json
import os
import secrets
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import count
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from audit import entries as writing
from audit import seal, standalone
from audit.age import Rule, RuleError, beyond, gone, month_after, ruled, set_rules, stretches
from audit.archive import ArchiveError, carry_out, due, months
from audit.entries import Line, append
from audit.export import proved
from audit.holds import HoldError, held, release, set_hold
from audit.ids import floor_id
from audit.indexing import index
from audit.keys import signer
from audit.partitions import make_partitions
from audit.timeline import Filters, timeline
from audit.verify import verify
from console.engines.grants import grant
from tests.running import ROOT, Process, until

TODAY = datetime.now(UTC).date()
OLD = month_after(TODAY, -14)
ALL = Rule("", 12)
RUN = UUID("0199a000-0000-7000-8000-000000000001")


class Record:
    """A record with a month that is over, sealed by hand."""

    def __init__(self, conn, monkeypatch):
        self.conn, self.signer = conn, signer(conn)
        self.frontier = seal.load_frontier(conn)
        self.monkeypatch, self.numbers = monkeypatch, count()
        make_partitions(conn.cursor(), "audit_entry", start=OLD, months=1)

    def write(self, n=1, *, month=OLD, verb="signal.received", **columns):
        """`n` entries on the 3rd of a month; their ids."""
        low = floor_id(datetime(month.year, month.month, 3, tzinfo=UTC)).int

        def ids(many):
            return [UUID(int=low + (next(self.numbers) << 80)) for _ in range(many)]

        with self.monkeypatch.context() as patched:
            patched.setattr(writing, "new_ids", ids)
            return append(self.conn, [Line(verb, f"signal:{k}", "source:web", **columns) for k in range(n)])

    def seal(self):
        while seal.seal_batch(self.conn, self.frontier, self.signer)[0]:
            pass

    def rule(self, *rules, days=2):
        """Rules that were set `days` ago, as the owner alone can pretend."""
        version = self.conn.execute("select coalesce(max(version), 0) + 1 from audit_retention").fetchone()[0]
        self.conn.execute(
            "insert into audit_retention values (%s, %s, 'cli', 'agreed', now() - %s)",
            [version, json.dumps([rule.document for rule in rules]), timedelta(days=days)],
        )

    def go(self, folder, **more):
        """Everything that is due, done."""
        return [carry_out(self.conn, one, folder=folder, actor="cli", **more) for one in due(self.conn) if one.going]

    def count(self, month=OLD):
        low, high = floor_id(datetime(month.year, month.month, 1, tzinfo=UTC)), _high(month)
        return self.conn.execute("select count(*) from audit_entry where id >= %s and id < %s", [low, high]).fetchone()[
            0
        ]

    def verify(self):
        self.seal()
        return verify(self.conn)

    def forcibly(self, statement, *params):
        """As somebody who owns the tables and takes the guard off."""
        with self.conn.transaction():
            self.conn.execute("set local session_replication_role = replica")
            self.conn.execute(statement, params)


def _high(month):
    after = month_after(month, 1)
    return floor_id(datetime(after.year, after.month, 1, tzinfo=UTC))


@pytest.fixture
def record(fresh, var, monkeypatch):
    return Record(fresh, monkeypatch)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


def offline(path, *options):
    """The standalone program on a file, with nothing but Python."""
    argv = [sys.executable, "-I", standalone.__file__, str(path), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def bodies(path):
    with gzip.open(path) as file:
        return [json.loads(json.loads(line)["body"]) for line in file if b'"body"' in line]


def test_a_month_goes_into_a_file_that_verifies_offline_and_the_record_still_holds(record, folder):
    ids = record.write(300)
    record.write(5, month=TODAY.replace(day=1))
    record.seal()
    record.rule(ALL)
    (done,) = record.go(folder)
    assert (record.count(), record.count(TODAY.replace(day=1))) == (0, 6)
    assert OLD not in [month for _, month in months(record.conn)]
    path = folder / done.file
    checked = offline(path, "--key", record.signer.verifier.vkey)
    assert checked.returncode == 0, checked.stdout
    assert [one["id"] for one in bodies(path)] == [str(id) for id in ids]
    report = record.verify()
    assert report.ok, report.problems
    assert report.dropped == 300
    assert report.aged == [f"300 entries of {OLD:%Y-%m} dropped by rule on {TODAY}, seal kept"]
    (stretch,) = stretches()
    assert (stretch.month, stretch.from_seq, stretch.to_seq, stretch.dropped) == (OLD, 0, 299, 300)
    assert stretch.file == done.file
    assert gone(ids[7]).id == stretch.id
    assert gone(done.entry) is None
    assert beyond(datetime(OLD.year, OLD.month, 20, tzinfo=UTC)) == [stretch]
    assert beyond(datetime.now(UTC)) == []
    (told,) = timeline(Filters(verb="record.archived"))
    assert (told.id, told.detail["sha256"], told.detail["dropped"]) == (done.entry, stretch.sha256, 300)


def test_one_changed_byte_of_the_file_is_named(record, folder):
    record.write(20)
    record.seal()
    record.rule(ALL)
    (done,) = record.go(folder)
    path = folder / done.file
    changed = gzip.decompress(path.read_bytes()).replace(b"signal:7", b"signal:8")
    path.write_bytes(gzip.compress(changed))
    checked = offline(path)
    assert checked.returncode == 1
    assert "number 7" in checked.stdout + checked.stderr


def test_an_export_says_of_what_went_why(record, folder):
    record.write(3)
    record.seal()
    record.rule(ALL)
    record.go(folder)
    record.seal()
    header = {"filter": {}, "made": {"at": "2026-01-01T00:00:00Z", "by": "cli"}}
    lines = [json.loads(line) for line in proved(record.conn, iter([0, 1]), header=header)]
    assert (
        f"dropped by rule (all entries are written to a file and dropped after 12 months) on {TODAY}"
        in (lines[1]["dropped"])
    )
    assert {"seq", "hash"} < lines[2].keys()


def test_only_what_the_longest_rule_names_goes(record, folder):
    record.write(10, verb="signal.received")
    record.write(4, verb="signal.dead")
    record.write(6, verb="action.delivered")
    record.write(2, verb="record.verified")
    record.write(1, verb="agent.changed")
    record.seal()
    record.rule(Rule("signal.", 6, archive=False), Rule("signal.dead", 120))
    (done,) = record.go(folder)
    assert (done.file, folder.exists()) == ("", False)
    assert record.count() == 13
    left = record.conn.execute("select distinct verb from audit_entry where id < %s order by 1", [_high(OLD)])
    assert [verb for (verb,) in left.fetchall()] == [
        "action.delivered",
        "agent.changed",
        "record.verified",
        "signal.dead",
    ]
    assert record.verify().ok
    record.rule(ALL, Rule("signal.dead", 120))
    (again,) = record.go(folder)
    assert again.file.endswith("-2.ndjson.gz")
    assert record.count() == 7, "the record's own words, who was accountable, and what has a longer rule stay"
    report = record.verify()
    assert (report.ok, report.dropped) == (True, 16)
    with pytest.raises(psycopg.errors.RestrictViolation):
        record.conn.execute("delete from audit_entry where id < %s", [_high(OLD)])


def test_its_words_are_no_longer_found_and_those_of_what_stays_are(record, folder):
    for _ in range(3):
        record.write(500, verb="signal.received", detail={"say": "forgettable"})
        record.write(500, verb="action.delivered", detail={"say": "lasting"})
    record.seal()

    def indexed(term):
        found = record.conn.execute("select count(*) from audit_term where term like %s", [f"%{term}%"])
        return found.fetchone()[0]

    with record.conn.transaction():
        index(record.conn.cursor())
    assert indexed("forgettable") == indexed("lasting") == 2
    record.rule(Rule("signal.", 6, archive=False))
    record.go(folder)
    assert (indexed("forgettable"), indexed("lasting")) == (0, 2)


def test_one_more_that_goes_with_them_is_found(record, folder):
    record.write(10, verb="signal.received")
    ids = record.write(4, verb="action.delivered")
    record.seal()
    record.rule(Rule("signal.", 6, archive=False))
    record.go(folder)
    record.forcibly("delete from audit_entry where id = %s", ids[2])
    report = record.verify()
    assert not report.ok
    assert "10 entries" in str(report.problems[0])
    assert "11 are gone" in str(report.problems[0])
    record.rule(ALL)
    with pytest.raises(ArchiveError, match="missing that no rule took"):
        record.go(folder)


def test_another_that_goes_in_the_place_of_one_that_is_put_back_is_found(record, folder):
    (first, *_) = record.write(10, verb="signal.received")
    ids = record.write(4, verb="action.delivered")
    record.seal()
    columns = "id, at, verb, actor, subject, body"
    kept = record.conn.execute(f"select {columns} from audit_entry where id = %s", [first]).fetchone()
    record.rule(Rule("signal.", 6, archive=False))
    record.go(folder)
    record.conn.execute(f"insert into audit_entry ({columns}) values (%s, %s, %s, %s, %s, %s)", kept)
    record.forcibly("delete from audit_entry where id = %s", ids[2])
    report = record.verify()
    assert "other entries" in str(report.problems[0])


def test_what_is_missing_without_an_entry_that_tells_of_it_is_a_break(record, folder):
    record.write(5)
    record.seal()
    record.rule(ALL)
    record.go(folder)
    record.forcibly("delete from audit_aged where true")
    report = record.verify()
    assert report.found == 5
    assert "only its seal is left" in str(report.problems[0])


def test_what_was_changed_or_is_not_sealed_is_not_dropped(record, folder):
    ids = record.write(5)
    record.rule(ALL, Rule("action.", 6, archive=False))
    with pytest.raises(ArchiveError, match="not sealed yet"):
        record.go(folder)
    record.seal()
    record.forcibly("update audit_entry set body = body || ' ' where id = %s", ids[3])
    with pytest.raises(ArchiveError, match="does not verify"):
        record.go(folder)
    record.rule(Rule("", 12, archive=False))
    with pytest.raises(ArchiveError, match="not as it was sealed"):
        record.go(folder)
    assert record.count() == 5


def test_a_rule_holds_a_day_after_it_was_set(record):
    record.write(5)
    record.seal()
    set_rules([ALL], actor="person:1", reason="agreed with the works council")
    assert due(record.conn) == []
    record.rule(ALL, days=1)
    assert [one.going for one in due(record.conn)] == [5]
    record.rule(Rule("", 14))
    assert due(record.conn) == [], "the month is fourteen months over at its end only"


def test_rules_are_versions_that_an_entry_tells_of(record):
    assert ruled().rules == ()
    made = set_rules([Rule("signal.", 6, archive=False), ALL], actor="person:1", reason="agreed", seen=0)
    assert (made.version, ruled().rules, ruled().actor) == (1, made.rules, "person:1")
    with pytest.raises(RuleError, match="version 1 meanwhile"):
        set_rules([], actor="person:1", reason="none", seen=0)
    set_rules([], actor="person:2", reason="keep all", seen=1)
    newest, first = timeline(Filters(verb="record.ruled"))
    assert (newest.subject, newest.detail["before"]) == ("retention:2", [str(rule) for rule in made.rules])
    assert first.detail["rules"][0] == {"verbs": "", "months": 12, "then": "archive"}
    for wrong in (Rule("", 0), Rule("record.", 5), Rule("agent.changed", 5), Rule("sig nal", 5)):
        with pytest.raises(RuleError):
            set_rules([wrong], actor="cli", reason="x")
    with pytest.raises(RuleError, match="Two rules"):
        set_rules([ALL, Rule("", 3)], actor="cli", reason="x")


@pytest.mark.parametrize(
    ("kind", "key", "more"),
    [
        ("agent", "inbound", {}),
        ("account", "acme.com", {}),
        ("run", str(RUN), {}),
        ("person", "ab" * 32, {}),
        ("person", "person:7", {}),
        ("period", "", {"since": datetime(OLD.year, OLD.month, 1, tzinfo=UTC)}),
    ],
)
def test_what_a_legal_hold_covers_stays_until_it_is_released(record, folder, kind, key, more):
    record.write(6)
    record.write(3, agent="inbound", run=RUN, account="acme.com", detail={"to": "person:7", "of": "ab" * 32})
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


def test_a_hold_answers_for_what_is_to_be_erased(record):
    day = datetime(2026, 5, 1, tzinfo=UTC)
    set_hold("person", "ab" * 32, actor="cli", reason="x")
    assert [hold.kind for hold in held(person="ab" * 32, account="acme.com")] == ["person"]
    assert held(person="cd" * 32, run=RUN, agent="inbound") == []
    set_hold("period", actor="cli", reason="x", since=day, until=day + timedelta(days=30))
    assert [hold.kind for hold in held(person="cd" * 32)] == ["period"]
    assert held(person="cd" * 32, since=day + timedelta(days=31)) == []
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
    application.execute("insert into audit_retention (version, rules, actor, reason) values (2, '[]', 'cli', 'x')")
    application.execute("insert into audit_legal_hold (kind, key, reason, actor) values ('agent', 'a', 'x', 'cli')")
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
