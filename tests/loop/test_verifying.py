"""The watchdog verifies the record by itself: a round's end is an entry, a break or a stuck outlet an incident."""

import pytest

from agents import watchdog
from agents.models import Incident
from audit import checkpoints, keys
from audit.entries import Line, append
from audit.models import Entry
from audit.seal import load_frontier, seal_batch


@pytest.fixture
def record(workspace, settings, tmp_path):
    settings.VAR = tmp_path
    with workspace.connect() as conn:
        append(conn, [Line("play.changed", f"play:{n}", "cli") for n in range(20)])
        checkpoints.write_outside(
            checkpoints.outside_file(), seal_batch(conn, load_frontier(conn), keys.signer(conn))[1]
        )
        yield conn


def test_a_whole_round_is_an_entry_and_a_break_an_incident(record):
    watchdog.verify_record()
    said = Entry.objects.get(verb="record.verified")
    assert b'"result":"it holds"' in bytes(said.body)
    assert not Incident.objects.exists()
    record.execute("set session_replication_role = replica")
    record.execute("update audit_entry set verb = 'x' where id = (select entry from audit_leaf where seq = 7)")
    record.execute("update audit_verified set round_began = round_began - interval '2 days'")
    watchdog.verify_record()
    incident = Incident.objects.get()
    assert incident.kind == "record"
    assert "number 7" in incident.cause


def test_what_an_earlier_look_of_the_round_found_is_in_its_entry(record):
    append(record, [Line("play.changed", "play:20", "cli")])
    checkpoints.write_outside(
        checkpoints.outside_file(), seal_batch(record, load_frontier(record), keys.signer(record))[1]
    )
    record.execute("update audit_verified set size = 20, rolling = 20, round_found = 2, found = 2, first = 'number 7'")
    watchdog.verify_record()
    body = bytes(Entry.objects.get(verb="record.verified").body)
    assert b'"detail":{"first":"number 7","found":2,"result":"BROKEN, 2 found","sealed":21}' in body


def test_an_outlet_that_has_failed_for_long_is_an_incident(record):
    record.execute(
        "insert into audit_outlet (target, failing_since, error) values"
        " ('PUT https://store/', now() - interval '20 minutes', 'answered 503'),"
        " ('POST https://other/', now() - interval '2 minutes', 'answered 503')"
    )
    watchdog.verify_record()
    incident = Incident.objects.get()
    assert (incident.kind, "PUT https://store/ for 20 minutes" in incident.cause) == ("outlet", True)
