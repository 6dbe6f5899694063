"""A new key signs the record, and whoever trusts the first one follows."""

import base64
import io
import threading
import time
from threading import Event

import pytest
from django.core.management import CommandError, call_command

from audit import checkpoints, keys, rotation, standalone
from audit.entries import Line, append
from audit.export import proved
from audit.keys import Signer, Verifier
from audit.seal import load_frontier, run, seal_batch
from audit.tiles import Tiles
from audit.verify import verify

HEADER = {"filter": {}, "made": {"at": "2026-11-21T10:00:00.000Z", "by": "person:7"}}


def sealed(conn, connect, var, n=5):
    """`n` more entries, sealed by a sealer that then stops."""
    append(conn, [Line("play.changed", f"play:{n}", "cli") for n in range(n)])
    stop = Event()
    sealer = threading.Thread(target=run, args=[stop], kwargs={"connect": connect, "outside": var / "checkpoints.log"})
    sealer.start()
    until = time.monotonic() + 20
    while conn.execute("select count(*) from audit_pending").fetchone()[0] or rotation.next_file().exists():
        assert time.monotonic() < until, "not sealed"
        time.sleep(0.05)
    stop.set()
    sealer.join(10)
    assert not sealer.is_alive()


def test_the_old_key_seals_the_change_before_the_new_one_signs(fresh, connect, var):
    sealed(fresh, connect, var)
    first = keys.signer(fresh).verifier
    changes = []
    for round_ in range(2):
        changes.append(rotation.ask(fresh, actor="cli", by="ana", why=f"round {round_}"))
        sealed(fresh, connect, var)
        sealed(fresh, connect, var)
        assert keys.signer(fresh).verifier == changes[-1]
    second, third = changes
    notes = [row[0] for row in fresh.execute("select note from audit_checkpoint order by size")]
    signers = [next(v for v in (first, second, third) if _signed(note, v)) for note in notes]
    assert signers == sorted(signers, key=[first, second, third].index)
    assert set(signers) == {first, second, third}
    assert list(rotation.followed(fresh, [first])) == [first, second, third]
    assert list(rotation.followed(fresh, [third])) == [third]
    report = verify(fresh, outside=var / "checkpoints.log", verifiers=[first])
    assert (report.problems, report.notes) == ([], [])
    assert verify(fresh, outside=var / "checkpoints.log", verifiers=[third]).found
    for pinned in ([], [first.vkey], [second.vkey], [third.vkey]):
        data = b"".join(proved(fresh, iter([1, 2]), header=HEADER))
        one = standalone.Check(io.BytesIO(data), [standalone.Key(vkey) for vkey in pinned], [])
        assert one.run(), one.problems


def _signed(note, verifier):
    try:
        return bool(checkpoints.verify(note, [verifier]))
    except checkpoints.CheckpointError:
        return False


def test_a_change_that_the_old_key_did_not_seal_is_not_followed(fresh, connect, var):
    sealed(fresh, connect, var)
    first = keys.signer(fresh).verifier
    eve = Signer.make(first.name)
    keys.key_file().write_text(eve.secret())
    detail = {"key": eve.verifier.vkey, "before": first.vkey, "by": "eve", "why": "mine now"}
    append(fresh, [Line(rotation.VERB, rotation.SUBJECT, "cli", detail=detail)])
    sealed(fresh, connect, var)
    assert list(rotation.followed(fresh, [first])) == [first]
    report = verify(fresh, outside=var / "checkpoints.log")
    assert f"nothing sealed brought in the key {eve.verifier.vkey}" in report.notes
    assert verify(fresh, outside=var / "checkpoints.log", verifiers=[first]).found


def test_an_entry_that_names_a_key_brings_in_none_without_the_old_keys_signature(fresh, connect, var):
    """Whoever can write an entry has the true sealer seal it; that must not make their key a trusted one."""
    first = keys.signer(fresh).verifier
    eve = Signer.make(first.name)
    own = base64.b64encode(eve.sign(standalone.assent(first.vkey, eve.verifier.vkey))).decode()
    for more in ({}, {"assent": own}, {"assent": 5}, {"assent": own, "before": eve.verifier.vkey}):
        detail = {"key": eve.verifier.vkey, "before": first.vkey, "by": "eve", "why": "mine now"} | more
        append(fresh, [Line(rotation.VERB, rotation.SUBJECT, "cli", detail=detail)])
    sealed(fresh, connect, var)
    assert list(rotation.followed(fresh, [first])) == [first]
    changes = rotation.chain(fresh, Tiles(fresh))
    assert len(changes) == 4
    size, root = fresh.execute("select size, root from audit_checkpoint order by size desc limit 1").fetchone()
    notes = {who: standalone.Note(checkpoints.sign(who, size, root)) for who in (eve, keys.signer(fresh))}
    believed = [
        any(k.vouches(n) for k in standalone.trusted([standalone.Key(first.vkey)], changes)) for n in notes.values()
    ]
    assert believed == [False, True]


def test_a_key_that_another_followed_signs_nothing_more(fresh, connect, var):
    sealed(fresh, connect, var)
    old = keys.signer(fresh)
    rotation.ask(fresh, actor="cli", by="ana", why="it may be stolen")
    sealed(fresh, connect, var)
    sealed(fresh, connect, var)
    assert verify(fresh, outside=var / "checkpoints.log", verifiers=[old.verifier]).ok
    size, root = fresh.execute("select size, root from audit_checkpoint order by size desc limit 1").fetchone()
    stolen = checkpoints.sign(old, size, root)
    fresh.execute("set session_replication_role = replica")
    fresh.execute("update audit_checkpoint set note = %s where size = %s", [stolen, size])
    for verifiers in (None, [old.verifier]):
        assert "no known key" in verify(fresh, outside=var / "none", verifiers=verifiers).problems[0].what
    data = b"".join(proved(fresh, iter([1, 2]), header=HEADER))
    for pinned in ([], [standalone.Key(old.verifier.vkey)]):
        one = standalone.Check(io.BytesIO(data), pinned, [])
        assert not one.run()
        assert "signed the checkpoint" in one.problems[0]


def test_a_sealer_that_died_before_it_went_over_does_so_before_it_signs_again(fresh, connect, var):
    sealed(fresh, connect, var)
    old = keys.signer(fresh)
    new = rotation.ask(fresh, actor="cli", by="ana", why="a year is over")
    seal_batch(fresh, load_frontier(fresh), old)
    sealed(fresh, connect, var)
    last = fresh.execute("select note from audit_checkpoint order by size desc limit 1").fetchone()[0]
    assert _signed(last, new)
    assert verify(fresh, outside=var / "checkpoints.log", verifiers=[old.verifier]).ok
    assert sorted(path.name for path in keys.key_file().parent.iterdir()) == ["seal.key"]


def test_the_command_asks_once(fresh, var, capsys):
    call_command("rotate_key", why="a year is over")
    assert Verifier.parse(capsys.readouterr().out.splitlines()[0]) != keys.signer(fresh).verifier
    with pytest.raises(CommandError, match="waits for the sealer"):
        call_command("rotate_key", why="again")


def test_a_key_that_a_crash_left_without_its_entry_is_taken_up(fresh, connect, var):
    sealed(fresh, connect, var)
    left = Signer.make(keys.signer(fresh).name)
    keys.write_once(rotation.next_file(), left.secret())
    assert rotation.ask(fresh, actor="cli", by="ana", why="again") == left.verifier
    sealed(fresh, connect, var)
    assert keys.signer(fresh).verifier == left.verifier
    assert [path.name for path in keys.key_file().parent.iterdir()] == ["seal.key"]


def test_what_is_broken_about_a_change_of_keys_is_named(fresh, connect, var):
    sealed(fresh, connect, var, n=600)
    first = keys.signer(fresh).verifier
    rotation.ask(fresh, actor="cli", by="ana", why="a year is over")
    sealed(fresh, connect, var)
    fresh.execute("set session_replication_role = replica")
    with fresh.transaction(force_rollback=True):
        fresh.execute("update audit_entry set body = '\\xff' where verb = %s", [rotation.VERB])
        assert 600 in [problem.seq for problem in verify(fresh, outside=var / "none").problems]
    with fresh.transaction(force_rollback=True):
        fresh.execute("delete from audit_leaf where seq = 599")
        found = verify(fresh, outside=var / "none", verifiers=[first]).problems
        assert any("not all sealed" in problem.what or "not sealed" in problem.what for problem in found)
    with fresh.transaction(force_rollback=True):
        fresh.execute("delete from audit_tile where index = 1")
        fresh.execute("delete from audit_leaf where seq = 300")
        assert verify(fresh, outside=var / "none").found
