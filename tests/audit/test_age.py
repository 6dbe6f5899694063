"""Retention by rule, and archives that verify offline."""

import gzip
import json
from datetime import UTC, datetime

import psycopg
import pytest

from audit import aged, verify, watch
from audit.age import Rule, RuleError, beyond, bounds, gone, ruled, set_rules, stretches
from audit.archive import ArchiveError, due, months
from audit.entries import Line, append
from audit.export import proved
from audit.indexing import index
from audit.management.commands.verify import summary
from audit.merkle import root
from audit.timeline import Filters, timeline
from tests.audit.ageing import ALL, OLD, TODAY, bodies, high, offline


def test_a_month_goes_into_a_file_that_verifies_offline_and_the_record_still_holds(record, folder):
    ids = record.write(300)
    record.write(5, month=TODAY.replace(day=1))
    record.seal()
    record.rule(ALL)
    (done,) = record.go(folder)
    assert record.count() == 0
    assert record.count(TODAY.replace(day=1)) >= 6
    assert OLD not in [month for _, month in months(record.conn)]
    path = folder / done.file
    checked = offline(path, "--key", record.signer.verifier.vkey)
    assert checked.returncode == 0, checked.stdout
    assert [one["id"] for one in bodies(path)] == [str(id) for id in ids]
    report = record.verify()
    assert report.ok, report.problems
    assert report.dropped == 300
    assert report.aged == [f"300 entries of {OLD:%Y-%m} dropped by rule on {TODAY}, seal kept"]
    assert report.aged[0] in summary(report)
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
    left = record.conn.execute("select distinct verb from audit_entry where id < %s order by 1", [high(OLD)])
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
        record.conn.execute("delete from audit_entry where id < %s", [high(OLD)])


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


def claim(record, rule, month=OLD):
    """Three entries deleted, and what excuses them written by whoever owns the tables, in the form it should have."""
    low, end = bounds(month)
    leaves = record.conn.execute(
        "select seq, entry, hash from audit_leaf where entry >= %s and entry < %s order by seq limit 3", [low, end]
    ).fetchall()
    record.forcibly("delete from audit_entry where id = any(%s)", [entry for _, entry, _ in leaves])
    said = {
        "month": f"{month:%Y-%m}", "rule": str(rule), "verbs": rule.verbs, "months": rule.months, "from": leaves[0][0],
        "to": leaves[-1][0], "dropped": 3, "missing": 3, "root": root([leaf for _, _, leaf in leaves]).hex(),
    }  # fmt: skip
    (entry,) = append(record.conn, [Line("record.aged", f"month:{month:%Y-%m}", "cli", detail=said)])
    record.conn.execute(
        "insert into audit_aged (month, verbs, months, archived, low, high, from_seq, to_seq, dropped, missing, root,"
        " entry) values (%s, %s, %s, false, %s, %s, %s, %s, 3, 3, %s, %s)",
        [month, rule.verbs, rule.months, low, end, said["from"], said["to"], bytes.fromhex(said["root"]), entry],
    )
    return entry


@pytest.mark.parametrize(
    ("rules", "days", "said", "month", "why"),
    [
        ([], 2, Rule("", 12, archive=False), OLD, "no sealed rule stood"),
        ([Rule("", 12, archive=False)], 0, Rule("", 12, archive=False), OLD, "no sealed rule stood"),
        ([Rule("", 12, archive=False)], 2, Rule("", 6, archive=False), OLD, "no sealed rule stood"),
        ([Rule("", 12, archive=False)], 2, Rule("", 12, archive=False), TODAY.replace(day=1), "had not come to"),
        ([Rule("", 12, archive=False)], 2, Rule("", 12, archive=False), OLD, ""),
    ],
)
def test_what_says_that_entries_went_is_believed_only_where_a_rule_stood(record, rules, days, said, month, why):
    record.write(8, month=month)
    record.rule(*rules, days=days)
    record.seal()
    claim(record, said, month)
    report = record.verify()
    assert report.ok == (not why)
    assert report.found == (4 if why else 0)
    assert not why or any(why in problem.what for problem in report.problems)


def test_what_says_that_entries_went_and_is_not_sealed_excuses_nothing(record, monkeypatch):
    monkeypatch.setattr(aged, "PATIENCE", 0)
    record.write(8)
    record.rule(Rule("", 12, archive=False))
    record.seal()
    claim(record, Rule("", 12, archive=False))
    report = verify.verify(record.conn)
    assert report.found == 4
    assert "it is not sealed" in str(report.problems)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"verb":"record.aged","detail":7}', b"\xff"])
def test_what_says_that_entries_went_and_cannot_be_read_excuses_nothing(record, body):
    record.write(8)
    record.rule(Rule("", 12, archive=False))
    record.seal()
    entry = claim(record, Rule("", 12, archive=False))
    record.seal()
    assert verify.verify(record.conn).ok
    record.forcibly("update audit_entry set body = %s where id = %s", body, entry)
    report = verify.verify(record.conn)
    assert {"its bytes are not those that were sealed", "is gone; only its seal is left"} <= {
        problem.what for problem in report.problems
    }


def test_what_goes_by_rule_while_verify_walks_is_no_break(record, folder, monkeypatch):
    monkeypatch.setattr(verify, "CHUNK", 100)
    record.write(300)
    record.rule(ALL)
    record.seal()
    done = []

    def progress(at, of):
        if not done:
            done.extend(record.go(folder))
            record.seal()

    report = verify.verify(record.conn, progress=progress)
    assert done
    assert report.problems == []


def test_the_scheduled_verifying_in_parts_finds_one_more_that_went_with_a_month(record, monkeypatch):
    monkeypatch.setattr(watch, "STRETCH", 20)
    for _ in range(3):
        record.write(10, verb="signal.received")
        ids = record.write(10, verb="action.delivered")
        record.seal()
    record.rule(Rule("signal.", 6, archive=False))
    record.go(None)
    record.seal()
    assert watch.look(record.conn)[1:4] == (0, "", True)
    record.forcibly("delete from audit_entry where id = %s", ids[2])
    record.conn.execute("update audit_verified set round_began = round_began - interval '2 days'")
    seen = watch.look(record.conn)
    assert (seen.found, seen.ended_round) == (1, True)
    assert "31 are gone" in seen.first


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
