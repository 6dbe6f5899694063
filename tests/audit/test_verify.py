import random

import pytest
from django.core.management import call_command

from audit import checkpoints, keys
from audit.entries import Line, append
from audit.ids import new_id
from audit.keys import Signer
from audit.merkle import Frontier, leaf_hash
from audit.seal import load_frontier, seal_batch
from audit.verify import verify

SIZE, BATCH = 230, 50


@pytest.fixture
def log(var):
    return var / "checkpoints.log"


@pytest.fixture
def record(conn, log):
    make(conn, log)
    return conn


def make(conn, log):
    """A sealed record of SIZE entries under five checkpoints, all of them outside too, and three unsealed entries."""
    lines = [
        Line(
            f"action.{n % 3}",
            f"action:{n}",
            "worker:loop",
            f"agent-{n % 4}",
            new_id(),
            "emea",
            "mid",
            f"account-{n}",
            "r",
            {"n": n},
        )
        for n in range(SIZE)
    ]
    append(conn, lines)
    seal_all(conn, log)
    append(conn, lines[:3])


def seal_all(conn, log):
    signer, frontier = keys.signer(conn), load_frontier(conn)
    while (sealed := seal_batch(conn, frontier, signer, limit=BATCH))[0]:
        checkpoints.write_outside(log, sealed[1])


def as_superuser(conn, sql, params=()):
    """Change the record past its guards."""
    conn.execute("set session_replication_role = replica")
    done = conn.execute(sql, params)
    conn.execute("set session_replication_role = origin")
    return done


def entry_at(conn, seq):
    return conn.execute("select entry from audit_leaf where seq = %s", [seq]).fetchone()[0]


def test_an_intact_record_holds_and_says_what_was_checked(record, log):
    report = verify(record, outside=log)
    assert report.problems == []
    assert (report.sealed, report.unsealed, report.checkpoints, report.outside) == (SIZE, 3, 5, 5)
    assert report.since == record.execute("select min(at) from audit_entry").fetchone()[0]
    assert report.until == record.execute("select max(at) from audit_entry").fetchone()[0]


def test_an_empty_record_holds(conn, log):
    report = verify(conn, outside=log)
    assert (report.ok, report.sealed, report.since) == (True, 0, None)


def test_chunks_smaller_than_a_checkpoints_stretch_make_no_difference(record, log, monkeypatch):
    monkeypatch.setattr("audit.verify.CHUNK", 7)
    assert verify(record, outside=log).problems == []
    as_superuser(record, "delete from audit_leaf where seq between 60 and 80")
    report = verify(record, outside=log)
    assert report.problems[0].seq == 60


@pytest.mark.hostile
def test_one_bit_flipped_anywhere_is_found_and_its_number_named(record, log):
    """HOSTILE 14: in the bytes or in a searchable column; every seed prints itself."""
    seed = random.SystemRandom().getrandbits(32)
    rng = random.Random(seed)
    columns = (
        "body",
        "verb",
        "actor",
        "subject",
        "agent",
        "region",
        "segment",
        "account",
        "request",
        "at",
        "run",
        "leaf",
    )
    for seq in rng.sample(range(SIZE), 100):
        column, entry = rng.choice(columns), entry_at(record, seq)
        bit = rng.randrange(64)
        with record.transaction(force_rollback=True):
            if column == "body":
                sql = "update audit_entry set body = set_bit(body, %s, 1 - get_bit(body, %s)) where id = %s"
                as_superuser(record, sql, [bit, bit, entry])
            elif column == "leaf":
                sql = "update audit_leaf set hash = set_bit(hash, %s, 1 - get_bit(hash, %s)) where entry = %s"
                as_superuser(record, sql, [bit, bit, entry])
            elif column == "at":
                as_superuser(record, "update audit_entry set at = at + interval '1 microsecond' where id = %s", [entry])
            elif column == "run":
                as_superuser(
                    record, "update audit_entry set run = %s where id = %s", [rng.choice([None, new_id()]), entry]
                )
            else:
                sql = f"update audit_entry set {column} = chr(ascii({column}) # 1) || substr({column}, 2) where id = %s"
                as_superuser(record, sql, [entry])
            report = verify(record, outside=log)
            assert report.problems, (seed, seq, column)
            assert report.problems[0].seq == seq, (seed, seq, column)
            assert report.problems[0].entry == entry, (seed, seq, column)
            assert column in str(report.problems[0]) or column in ("body", "leaf"), (seed, seq, column)


def test_a_null_that_a_separator_elsewhere_makes_up_for_is_found(record, log):
    as_superuser(record, "alter table audit_entry alter column subject drop not null, alter column body drop not null")
    one, other = entry_at(record, 70), entry_at(record, 71)
    for column, joined in (("subject", "e.subject || chr(31) || o.subject"), ("body", r"e.body || '\x1f00' || o.body")):
        with record.transaction(force_rollback=True):
            sql = f"update audit_entry e set {column} = {joined} from audit_entry o where e.id = %s and o.id = %s"
            as_superuser(record, sql, [one, other])
            as_superuser(record, f"update audit_entry set {column} = null where id = %s", [other])
            assert [problem.seq for problem in verify(record, outside=log).problems] == [70, 71]


def test_many_breaks_are_each_named(record, log):
    broken = sorted(random.Random(1).sample(range(SIZE), 60))
    for seq in broken:
        as_superuser(record, "update audit_entry set account = 'x' where id = %s", [entry_at(record, seq)])
    assert [problem.seq for problem in verify(record, outside=log).problems] == broken


def test_a_forged_body_with_a_matching_leaf_is_caught_by_its_checkpoint(record, log):
    entry = entry_at(record, 70)
    body = record.execute("select body from audit_entry where id = %s", [entry]).fetchone()[0]
    forged = body.replace(b'"n":70', b'"n":71')
    assert forged != body
    as_superuser(record, "update audit_entry set body = %s where id = %s", [forged, entry])
    as_superuser(record, "update audit_leaf set hash = %s where entry = %s", [leaf_hash(forged), entry])
    report = verify(record, outside=log)
    assert [(problem.seq, problem.what) for problem in report.problems] == [
        (50, "50 to 99 do not give the root signed for 100")
    ]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (70, 70), (60, 140), (SIZE - 10, SIZE - 1), (0, SIZE - 1)])
def test_deleted_entries_are_named(record, log, first, last):
    ids = [entry_at(record, seq) for seq in range(first, last + 1)]
    as_superuser(record, "delete from audit_entry where id = any(%s)", [ids])
    report = verify(record, outside=log)
    assert [problem.seq for problem in report.problems] == list(range(first, last + 1))


@pytest.mark.parametrize(("first", "last"), [(0, 0), (70, 70), (60, 140), (SIZE - 10, SIZE - 1), (0, SIZE - 1)])
def test_deleted_with_their_seals_the_first_number_is_named(record, log, first, last):
    ids = [entry_at(record, seq) for seq in range(first, last + 1)]
    as_superuser(record, "delete from audit_entry where id = any(%s)", [ids])
    as_superuser(record, "delete from audit_leaf where entry = any(%s)", [ids])
    report = verify(record, outside=log)
    assert report.problems[0].seq == first
    assert "deleted" in report.problems[0].what


def test_a_tail_deleted_with_its_checkpoints_is_known_outside(record, log):
    ids = [entry_at(record, seq) for seq in range(150, SIZE)]
    as_superuser(record, "delete from audit_entry where id = any(%s)", [ids])
    as_superuser(record, "delete from audit_leaf where seq >= 150")
    as_superuser(record, "delete from audit_checkpoint where size > 150")
    assert verify(record, outside=log.with_name("none")).ok
    report = verify(record, outside=log)
    assert report.problems[0].seq == 150
    assert "knows of 200" in report.problems[0].what


def test_two_bodies_swapped_are_both_named(record, log):
    a, b = entry_at(record, 31), entry_at(record, 180)
    sql = "update audit_entry e set body = o.body from audit_entry o where (e.id, o.id) in ((%s, %s), (%s, %s))"
    as_superuser(record, sql, [a, b, b, a])
    assert [problem.seq for problem in verify(record, outside=log).problems] == [31, 180]


@pytest.mark.parametrize(("one", "other"), [(60, 61), (60, 90), (31, 180)])
def test_two_numbers_swapped_are_caught(record, log, one, other):
    as_superuser(record, "alter table audit_leaf drop constraint audit_leaf_seq_check")
    as_superuser(record, "update audit_leaf set seq = -1 where seq = %s", [one])
    as_superuser(record, "update audit_leaf set seq = %s where seq = %s", [one, other])
    as_superuser(record, "update audit_leaf set seq = %s where seq = -1", [other])
    report = verify(record, outside=log)
    assert not report.ok
    assert report.problems[0].seq in (one, one // BATCH * BATCH)


def test_an_entry_slipped_in_is_named(record, log):
    [id] = append(record, [Line("action.approved", "action:1", "person:ana")])
    record.execute("delete from audit_pending where entry = %s", [id])
    report = verify(record, outside=log)
    assert [(problem.entry, "slipped in" in problem.what) for problem in report.problems] == [(id, True)]


def test_an_entry_slipped_in_with_a_seal_is_named(record, log):
    [id] = append(record, [Line("action.approved", "action:1", "person:ana")])
    record.execute("delete from audit_pending where entry = %s", [id])
    record.execute("insert into audit_leaf select %s, id, sha256(body) from audit_entry where id = %s", [SIZE, id])
    report = verify(record, outside=log)
    assert [problem.seq for problem in report.problems] == [SIZE]


def test_unsealed_entries_are_checked_too(record, log):
    ids = [row[0] for row in record.execute("select entry from audit_pending order by entry")]
    as_superuser(record, "update audit_entry set actor = 'person:eve' where id = %s", [ids[0]])
    as_superuser(record, "delete from audit_entry where id = %s", [ids[1]])
    report = verify(record, outside=log)
    assert [(problem.entry, problem.what) for problem in report.problems] == [
        (ids[0], "actor differs from its bytes"),
        (ids[1], "is gone before it was sealed"),
    ]


def test_everything_rewritten_and_signed_again_with_the_stolen_key_is_caught_outside(record, log):
    """HOSTILE 15."""
    signer = keys.signer(record)
    entry = entry_at(record, 120)
    body = record.execute("select body from audit_entry where id = %s", [entry]).fetchone()[0]
    forged = body.replace(b'"n":120', b'"n":999')
    as_superuser(record, "update audit_entry set body = %s where id = %s", [forged, entry])
    as_superuser(
        record,
        "update audit_leaf l set hash = sha256('\\x00'::bytea || e.body) from audit_entry e where e.id = l.entry",
    )
    frontier = Frontier()
    for seq, leaf in record.execute("select seq, hash from audit_leaf order by seq").fetchall():
        frontier.append(leaf)
        note = checkpoints.sign(signer, seq + 1, frontier.root())
        params = [frontier.root(), note, frontier.to_bytes(), seq + 1]
        as_superuser(record, "update audit_checkpoint set root = %s, note = %s, frontier = %s where size = %s", params)
    assert verify(record, outside=log.with_name("none")).ok
    report = verify(record, outside=log)
    assert [problem.seq for problem in report.problems] == [100, 150, 200]
    assert "rewritten" in report.problems[0].what


def test_a_checkpoint_signed_by_another_key_is_refused(record, log):
    note = checkpoints.sign(Signer.make("signalbox/eve"), 100, b"\0" * 32)
    as_superuser(record, "update audit_checkpoint set note = %s where size = 100", [note])
    assert "no known key" in verify(record, outside=log).problems[0].what


def test_the_files_own_corruption_is_named(record, log):
    log.write_text(log.read_text().replace("\n100\n", "\n101\n"))
    [problem] = verify(record, outside=log).problems
    assert "checkpoint 2 in" in problem.what


def test_a_changed_edge_is_named(record, log):
    as_superuser(
        record,
        "update audit_checkpoint set frontier = set_bit(frontier, 100, 1 - get_bit(frontier, 100)) where size = 150",
    )
    [problem] = verify(record, outside=log).problems
    assert "edge" in problem.what


def test_keys_given_are_the_only_ones_trusted(record, log):
    report = verify(record, outside=log, verifiers=[Signer.make("signalbox/other").verifier])
    assert report.found == 10


def test_a_sealer_may_go_on_meanwhile(connect, log):
    record, other = connect(), connect()
    make(record, log)

    def go_on(done, of):
        append(other, [Line("action.asked", "action:1", "worker:loop")] * 10)
        seal_all(other, log)

    assert verify(record, outside=log, progress=go_on).problems == []
    assert verify(record, outside=log).sealed == SIZE + 13


def test_the_command_says_it_holds_or_what_is_broken(fresh, log, capsys):
    record = fresh
    make(record, log)
    call_command("verify", outside=log)
    assert "The record holds." in capsys.readouterr().out
    as_superuser(record, "update audit_entry set verb = 'x' where id = %s", [entry_at(record, 1)])
    with pytest.raises(SystemExit) as ended:
        call_command("verify", outside=log)
    assert ended.value.code == 1
    assert "BROKEN: 1 found" in capsys.readouterr().out
