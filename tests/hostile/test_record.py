"""The record holds (I3): HOSTILE 14 to 16, their last sentence aside, which is in test_entries.py."""

import signal
import sys
import time

import pytest

from audit import checkpoints, keys, standalone, tiles, witness
from audit.entries import Line, append
from audit.ids import new_id
from audit.merkle import Frontier, leaf_hash
from audit.seal import load_frontier, seal_batch
from audit.tiles import Tiles
from audit.verify import verify
from tests.running import Process, until

SIZE, BATCH = 5_000, 300
COLUMNS = ("verb", "actor", "subject", "agent", "region", "segment", "account", "request")


@pytest.fixture
def record(workspace, tmp_path, settings):
    """A connection to a sealed record of SIZE entries of 1,000 runs, its checkpoints outside as well."""
    settings.VAR = tmp_path
    with workspace.connect() as conn:
        runs = [new_id() for _ in range(SIZE // 5)]
        append(conn, [line(n, runs[n // 5]) for n in range(SIZE)])
        signer, frontier = keys.signer(conn), Frontier()
        while (sealed := seal_batch(conn, frontier, signer, limit=BATCH))[0]:
            checkpoints.write_outside(checkpoints.outside_file(), sealed[1])
        assert verify(conn).problems == []
        conn.execute("set session_replication_role = replica")
        yield conn


def line(n, run):
    texts = (f"action:{n}", "worker:loop", f"agent-{n % 9}", run, "emea", "mid", f"account-{n}", "request-1")
    return Line(("signal.received", "action.delivered")[n % 2], *texts, {"n": n})


def flipped(text, rng):
    """The text with one bit of one of its ASCII characters flipped, so that it is still text."""
    while True:
        at = rng.randrange(len(text))
        bent = ord(text[at]) ^ 1 << rng.randrange(7)
        if bent:
            return text[:at] + chr(bent) + text[at + 1 :]


@pytest.mark.hostile
def test_one_bit_flipped_in_each_of_1000_entries_is_found_under_its_number(record, rng, hostile):
    seqs = sorted(rng.sample(range(SIZE), hostile.of(1_000)))
    names = ", ".join(COLUMNS)
    for seq in seqs:
        entry = record.execute("select entry from audit_leaf where seq = %s", [seq]).fetchone()[0]
        what = rng.choice(("body", "body", "at", "run", *COLUMNS))
        if what == "body":
            bits = record.execute("select length(body) * 8 from audit_entry where id = %s", [entry]).fetchone()[0]
            value = "set_bit(body, {0}, 1 - get_bit(body, {0}))".format(rng.randrange(bits))
            record.execute(f"update audit_entry set body = {value} where id = %s", [entry])
        elif what == "at":
            sql = "update audit_entry set at = at + %s * interval '1 microsecond' where id = %s"
            record.execute(sql, [1 << rng.randrange(30), entry])
        elif what == "run":
            run = record.execute("select run from audit_entry where id = %s", [entry]).fetchone()[0]
            bent = type(run)(int=run.int ^ 1 << rng.randrange(128))
            record.execute("update audit_entry set run = %s where id = %s", [bent, entry])
        else:
            now = record.execute(f"select {names} from audit_entry where id = %s", [entry]).fetchone()
            bent = flipped(now[COLUMNS.index(what)], rng)
            record.execute(f"update audit_entry set {what} = %s where id = %s", [bent, entry])
    report = verify(record)
    assert [problem.seq for problem in report.problems] == seqs
    print(f"{report.found} of {len(seqs)} flipped bits found, each under its number")


@pytest.mark.hostile
@pytest.mark.parametrize("how", ["tail deleted", "middle deleted", "a run deleted", "two swapped", "one forged"])
def test_entries_deleted_swapped_or_forged_are_found(record, rng, how):
    """As far as one gets with the database alone: entries and leaves changed, but the checkpoints signed."""
    gone = {
        "tail deleted": range(SIZE - 10, SIZE),
        "middle deleted": range(2_000, 2_400),
        "a run deleted": range(1_235, 1_240),
    }.get(how, ())
    if gone:
        first = gone[0]
        record.execute(
            "with leaf as (delete from audit_leaf where seq between %s and %s returning entry)"
            " delete from audit_entry where id in (select entry from leaf)",
            [gone[0], gone[-1]],
        )
        named = [first]
    elif how == "two swapped":
        one, other = sorted(rng.sample(range(SIZE), 2))
        record.execute("alter table audit_leaf drop constraint audit_leaf_seq_check")
        for old, new in ((one, -1), (other, one), (-1, other)):
            record.execute("update audit_leaf set seq = %s where seq = %s", [new, old])
        # The order betrays it where ids no longer ascend; else the root of the batch does, by its first number.
        named = [*range(one // BATCH * BATCH, one // BATCH * BATCH + BATCH)]
    else:
        seq = rng.randrange(SIZE)
        forge(record, seq)
        named = [seq // BATCH * BATCH]
    report = verify(record)
    assert report.problems, how
    assert report.problems[0].seq in named, (how, report.problems[:3])


def forge(conn, seq):
    """Another body with a leaf that fits it."""
    entry, body = conn.execute(
        "select id, body from audit_entry where id = (select entry from audit_leaf where seq = %s)", [seq]
    ).fetchone()
    forged = body.replace(b'"n":%d' % seq, b'"n":%d' % (seq + 1))
    assert forged != body
    conn.execute("update audit_entry set body = %s where id = %s", [forged, entry])
    conn.execute("update audit_leaf set hash = %s where entry = %s", [leaf_hash(forged), entry])


@pytest.mark.hostile
def test_everything_rewritten_and_signed_with_the_stolen_key_is_caught_outside(record, rng, tmp_path):
    """HOSTILE 15: by the file of checkpoints, and by a witness."""
    signer = keys.signer(record)
    witness.make_key(tmp_path / "w", "witness.example/one")
    watching = witness.Witness(tmp_path / "w", [standalone.Key(signer.verifier.vkey)])
    note = record.execute("select note from audit_checkpoint order by size desc limit 1").fetchone()[0]
    assert watching.add(f"old 0\n\n{note}".encode()).status == 200
    forge(record, rng.randrange(SIZE - 2 * BATCH))
    record.execute("delete from audit_checkpoint")
    record.execute("delete from audit_tile")
    frontier = Frontier()
    for (leaf,) in record.execute("select hash from audit_leaf order by seq").fetchall():
        frontier.append(leaf)
        if not frontier.size % BATCH or frontier.size == SIZE:
            note = checkpoints.sign(signer, frontier.size, frontier.root())
            record.execute(
                "insert into audit_checkpoint (size, root, note, frontier) values (%s, %s, %s, %s)",
                [frontier.size, frontier.root(), note, frontier.to_bytes()],
            )
    tiles.backfill(record, SIZE)
    assert verify(record, outside=tmp_path / "none").ok
    report = verify(record)
    assert report.problems
    assert all("rewritten" in problem.what for problem in report.problems)
    append(record, [line(n, new_id()) for n in range(5)])
    record.execute("set session_replication_role = origin")
    _, note = seal_batch(record, load_frontier(record), signer)
    proof = b"".join(standalone.base64.b64encode(node) + b"\n" for node in Tiles(record).consistency(SIZE, SIZE + 5))
    assert watching.add(b"old %d\n%s\n%s" % (SIZE, proof, note.encode())).status == 422
    assert watching.add(f"old {SIZE}\n\n{checkpoints.sign(signer, SIZE, frontier.root())}".encode()).status == 409


@pytest.mark.hostile
def test_two_sealers_neither_fork_nor_leave_gaps(workspace, tmp_path, settings, rng, hostile):
    """HOSTILE 16: ten minutes (15 s in `make test`) of writing while two sealers live, are killed and start again."""
    settings.VAR = tmp_path
    env = workspace.env | {"SIGNALBOX_VAR": str(tmp_path), "SIGNALBOX_CHECKPOINTS": ""}

    def sealer():
        return Process([sys.executable, "manage.py", "seal"], env, name="sealer")

    both, kills = [sealer(), sealer()], 0
    end = time.monotonic() + (600 if hostile.full else 15)
    with workspace.connect() as conn:
        while time.monotonic() < end:
            append(conn, [line(n, new_id()) for n in range(rng.randrange(1, 40))])
            time.sleep(0.02)
            if rng.random() < 0.004:
                victim = rng.randrange(2)
                both[victim].kill()
                both[victim], kills = sealer(), kills + 1
        until(
            lambda: not conn.execute("select count(*) from audit_pending").fetchone()[0], seconds=60, what="all sealed"
        )
        for one in both:
            one.stop(signal.SIGTERM)
        written = conn.execute("select count(*) from audit_entry").fetchone()[0]
        report = verify(conn)
        assert (report.problems, report.sealed, report.unsealed) == ([], written, 0)
        assert conn.execute("select count(*), max(seq) + 1 from audit_leaf").fetchone() == (written, written)
        print(f"{written} entries, {report.checkpoints} checkpoints, {kills} kills: 0 forks, 0 gaps")


@pytest.mark.hostile
def test_4000_entries_a_second_are_sealed_within_a_second(workspace, tmp_path, settings, hostile):
    """HOSTILE 16: for 60 s (6 s in `make test`); how long each entry waited is read from its checkpoint's moment."""
    settings.VAR = tmp_path
    env = workspace.env | {"SIGNALBOX_VAR": str(tmp_path), "SIGNALBOX_CHECKPOINTS": ""}
    sealer = Process([sys.executable, "manage.py", "seal"], env, name="sealer")
    run, step, most = new_id(), 0.025, 100
    with workspace.connect() as conn:
        append(conn, [line(0, run)])
        until(lambda: not conn.execute("select count(*) from audit_pending").fetchone()[0], seconds=30, what="a sealer")
        began = time.monotonic()
        written = 1
        for n in range(int(hostile.of(60) / step)):
            wait = began + n * step - time.monotonic()
            time.sleep(max(0.0, wait))
            append(conn, [line(written + m, run) for m in range(most)])
            written += most
        seconds = time.monotonic() - began
        until(
            lambda: not conn.execute("select count(*) from audit_pending").fetchone()[0], seconds=60, what="all sealed"
        )
        sealer.stop(signal.SIGTERM)
        p50, p99, worst = conn.execute(
            "select percentile_cont(array[0.5, 0.99, 1]) within group (order by extract(epoch from c.at - e.at))"
            " from audit_leaf l join audit_entry e on e.id = l.entry cross join lateral"
            " (select at from audit_checkpoint where size > l.seq order by size limit 1) c where l.seq > 0"
        ).fetchone()[0]
        report = verify(conn)
        assert (report.problems, report.sealed) == ([], written)
    rate = (written - 1) / seconds
    print(f"{rate:.0f} entries/s for {seconds:.0f} s: behind p50 {p50:.2f} s, p99 {p99:.2f} s, at most {worst:.2f} s")
    assert rate > 3_600, "the machine was too busy to write at this rate"
    assert p99 <= 1.0
