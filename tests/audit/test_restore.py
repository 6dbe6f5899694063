"""A database restored from a backup: the sealer does not fork the record, and an entry tells what was lost."""

import threading
from threading import Event

import pytest
from django.core.management import CommandError, call_command

from audit import checkpoints, keys, restore
from audit.entries import Line, append
from audit.merkle import Frontier
from audit.seal import SealError, load_frontier, run, seal_batch
from audit.verify import verify


def write_and_seal(conn, log, batches):
    for size in batches:
        append(conn, [Line("play.changed", f"play:{n}", "cli") for n in range(size)])
        frontier = load_frontier(conn)
        checkpoints.write_outside(log, seal_batch(conn, frontier, keys.signer(conn))[1])


def roll_back(conn, size):
    """The database as it was when it had `size` sealed entries."""
    conn.execute("set session_replication_role = replica")
    conn.execute("delete from audit_entry where id in (select entry from audit_leaf where seq >= %s)", [size])
    for sql in (
        "audit_leaf where seq >= %s",
        "audit_checkpoint where size > %s",
        "audit_tile where (index+1)*256 > %s",
    ):
        conn.execute(f"delete from {sql}", [size])
    conn.execute("set session_replication_role = origin")


@pytest.fixture
def log(var):
    return var / "checkpoints.log"


def sealer(connect, log):
    """Run a sealer once over; what it raised."""
    stop, raised = Event(), []

    def work():
        try:
            run(stop, connect=connect, outside=log)
        except SealError as error:
            raised.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    stop.wait(1.0)
    stop.set()
    thread.join(10)
    return raised


def test_a_database_behind_its_checkpoints_is_not_sealed_on_until_an_entry_says_why(fresh, connect, log, capsys):
    write_and_seal(fresh, log, [100, 100, 100, 57])
    roll_back(fresh, 200)
    append(fresh, [Line("play.changed", "play:1", "cli")])
    [why] = sealer(connect, log)
    assert "knows of 357 sealed entries, this database has 200" in why
    assert "manage.py restored" in why
    report = verify(fresh, outside=log)
    assert "knows of 300" in report.problems[0].what
    call_command("restored", why="the disk died")
    assert "numbers 200 to 356" in capsys.readouterr().out
    assert sealer(connect, log) == []
    write_and_seal(fresh, log, [200, 3])
    report = verify(fresh, outside=log)
    assert report.problems == []
    [told] = report.notes
    assert "numbers 200 to 356 as they were before are lost: the disk died" in told
    assert report.outside == 2 + 3
    with pytest.raises(CommandError, match="nothing to explain"):
        call_command("restored", why="again")


def test_restores_may_follow_each_other_and_undo_one(fresh, connect, log):
    write_and_seal(fresh, log, [100, 100])
    roll_back(fresh, 100)
    restore.explain(fresh, log, actor="cli", by="ana", why="first")
    write_and_seal(fresh, log, [50, 50])
    assert verify(fresh, outside=log).problems == []
    roll_back(fresh, 151)
    restore.explain(fresh, log, actor="cli", by="ana", why="second")
    write_and_seal(fresh, log, [20])
    assert verify(fresh, outside=log).problems == []
    assert [told.here for told in restore.restores(fresh)] == [100, 151]
    roll_back(fresh, 100)
    restore.explain(fresh, log, actor="cli", by="ana", why="third")
    write_and_seal(fresh, log, [30])
    report = verify(fresh, outside=log)
    assert report.problems == []
    assert [told.why for told in restore.restores(fresh)] == ["third"]


def test_a_restore_explains_nothing_but_the_stretch_it_names(fresh, log):
    """Something below it changed as well: still a break. So is a restore from a checkpoint nobody knows."""
    write_and_seal(fresh, log, [100, 100, 100])
    roll_back(fresh, 200)
    told = restore.explain(fresh, log, actor="cli", by="ana", why="first")
    write_and_seal(fresh, log, [10])
    fresh.execute("set session_replication_role = replica")
    fresh.execute("update audit_leaf set hash = sha256('x') where seq = 20")
    assert verify(fresh, outside=log).problems
    fresh.execute("update audit_leaf l set hash = sha256('\\x00'::bytea || body) from audit_entry e where e.id = entry")
    assert verify(fresh, outside=log).ok
    detail = {"here": 5, "lost": 900, "root": "00" * 32, "by": "eve", "why": "hides all"}
    append(fresh, [Line(restore.VERB, restore.SUBJECT, "cli", detail=detail)])
    write_and_seal(fresh, log, [1])
    report = verify(fresh, outside=log)
    assert any("nothing outside knows" in problem.what for problem in report.problems)
    assert (told.here, told.lost) == (200, 300)


def test_another_databases_file_is_refused(fresh, connect, log):
    write_and_seal(fresh, log, [5])
    frontier = load_frontier(fresh)
    frontier.append(b"\1" * 32)
    checkpoints.write_outside(log, checkpoints.sign(keys.signer(fresh), 3, b"\2" * 32))
    [why] = sealer(connect, log)
    assert "another root for the first 3 entries" in why


def rewrite(conn, log, told):
    """Everything rewritten and signed with the stolen key; a last entry says that a backup was restored."""
    detail = {"by": "eve", "why": "a backup", "root": told.root.hex(), "here": 0, "lost": told.size}
    append(conn, [Line(restore.VERB, restore.SUBJECT, "cli", detail=detail)])
    write_and_seal(conn, log.with_name("elsewhere"), [1])
    conn.execute("set session_replication_role = replica")
    conn.execute(
        "update audit_entry set actor = 'x', body = replace(convert_from(body, 'UTF8'), '\"cli\"', '\"x\"')::bytea"
    )
    conn.execute("update audit_leaf l set hash = sha256('\\x00'::bytea || body) from audit_entry e where e.id = entry")
    conn.execute("delete from audit_checkpoint")
    conn.execute("delete from audit_tile")
    frontier = Frontier()
    for (leaf,) in conn.execute("select hash from audit_leaf order by seq").fetchall():
        frontier.append(leaf)
    note = checkpoints.sign(keys.signer(conn), frontier.size, frontier.root())
    row = [frontier.size, frontier.root(), note, frontier.to_bytes()]
    conn.execute("insert into audit_checkpoint (size, root, note, frontier) values (%s, %s, %s, %s)", row)
    conn.execute("set session_replication_role = origin")


def test_an_entry_that_tells_of_a_restore_excuses_no_rewriting(fresh, connect, log, capsys):
    """HOSTILE 15: what is said in the database alone is said by whoever rewrote it."""
    write_and_seal(fresh, log, [100, 100])
    rewrite(fresh, log, checkpoints.last_outside(log))
    report = verify(fresh, outside=log)
    assert "tells of a restore (0-199) that nothing outside knows of" in report.problems[0].what
    assert report.notes == []
    assert any("rewritten" in problem.what or "no such" in problem.what for problem in report.problems[1:])
    [why] = sealer(connect, log)
    assert "another root" in why
    with pytest.raises(SystemExit):
        call_command("verify", outside=log)
    call_command("verify", outside=log, restored=["0-199"])
    assert "numbers 0 to 199 as they were before are lost: a backup" in capsys.readouterr().out


def test_a_broken_entry_about_a_restore_is_named_and_stops_nobody(fresh, log):
    write_and_seal(fresh, log, [100, 100])
    roll_back(fresh, 100)
    restore.explain(fresh, log, actor="cli", by="ana", why="first")
    write_and_seal(fresh, log, [10])
    entry, body = fresh.execute("select id, body from audit_entry where verb = %s", [restore.VERB]).fetchone()
    seq = fresh.execute("select seq from audit_leaf where entry = %s", [entry]).fetchone()[0]
    fresh.execute("set session_replication_role = replica")
    for broken in (b"\xff" + body, b"[]", body.replace(b'"lost"', b'"last"'), body.replace(b'"root":"', b'"root":"x')):
        fresh.execute("update audit_entry set body = %s where id = %s", [broken, entry])
        assert seq in [problem.seq for problem in verify(fresh, outside=log).problems]
        assert isinstance(restore.ahead(fresh, log, 110), checkpoints.Checkpoint | None)
