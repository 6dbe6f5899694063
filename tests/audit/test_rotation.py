"""A new key signs the record, and whoever trusts the first one follows."""

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
from audit.seal import run
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
    assert rotation.followed(fresh, [first]) == [first, second, third]
    assert rotation.followed(fresh, [third]) == [third]
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
    assert rotation.followed(fresh, [first]) == [first]
    report = verify(fresh, outside=var / "checkpoints.log")
    assert f"nothing sealed brought in the key {eve.verifier.vkey}" in report.notes
    assert verify(fresh, outside=var / "checkpoints.log", verifiers=[first]).found


def test_the_command_asks_once(fresh, var, capsys):
    call_command("rotate_key", why="a year is over")
    assert Verifier.parse(capsys.readouterr().out.splitlines()[0]) != keys.signer(fresh).verifier
    with pytest.raises(CommandError, match="waits for the sealer"):
        call_command("rotate_key", why="again")
