"""Audit: the record is found by every facet, read in sentences, exported without live cells, and verified."""

import csv
import re
import threading
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Incident
from audit import checkpoints, keys, rotation, seal
from audit.entries import Line, record
from audit.ids import id_time
from audit.models import Checkpoint, Entry, Leaf
from console.views.audit import SIZE
from tests.deciding import action_of, furnish


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def write(*lines):
    with transaction.atomic():
        return record(*lines)


def seal_all():
    with seal.direct_connection() as conn:
        frontier, signer = seal.load_frontier(conn), keys.signer(conn)
        while seal.seal_batch(conn, frontier, signer)[0]:
            pass


def shown(client, **filters):
    text = client.get("/audit", filters).content.decode()
    return [part.split('"')[0] for part in text.split('<li id="entry-')[1:]]


def test_every_facet_narrows_and_a_region_takes_in_what_lies_beneath(world, client, charlie, bob):
    (one,) = world.ask(region="emea/de")
    emea, amer, plain = write(
        Line("play.changed", "play:x", "cli", region="emea"),
        Line("play.changed", "play:y", bob.actor, region="amer", segment="smb", request="req-12345"),
        Line("connection.changed", "connection:elsewhere", "cli"),
    )
    client.force_login(charlie)
    everything = shown(client)
    assert everything == [str(id) for id in Entry.objects.order_by("-id").values_list("id", flat=True)[:SIZE]]
    assert shown(client, region="emea")[0] == str(emea)
    asked = Entry.objects.get(verb="action.asked")
    assert str(asked.id) in shown(client, region="emea")
    assert str(asked.id) in shown(client, agent="inbound-intent", verb="action.")
    assert shown(client, region="amer") == shown(client, segment="smb") == [str(amer)]
    assert shown(client, actor=bob.actor) == shown(client, request="req-12345") == [str(amer)]
    assert shown(client, subject="connection:elsewhere") == [str(plain)]
    run = action_of(one).run_id
    assert set(shown(client, run=str(run))) == set(shown(client, account="acme.example"))
    assert shown(client, since="2031-01-01 00:00") == []
    assert client.get("/audit", {"run": "not-a-run"}).status_code == 422


def test_pages_go_older_and_back_and_news_are_counted(world, client, charlie):
    ids = write(*(Line("play.changed", f"play:{n}", "cli") for n in range(120)))
    client.force_login(charlie)
    first = client.get("/audit", {"verb": "play.changed"})
    second = shown(client, verb="play.changed", before=str(ids[70]))
    assert second == [str(id) for id in reversed(ids[20:70])]
    assert shown(client, verb="play.changed", after=second[0]) == [str(id) for id in reversed(ids[70:])]
    assert b'rel="next"' in first.content
    headers = {"HX-Request": "true", "HX-Target": "news"}
    write(*(Line("play.changed", f"play:{n}", "cli") for n in range(3)))
    news = client.get("/audit", {"verb": "play.changed", "seen": str(ids[-1])}, headers=headers).content.decode()
    assert "3 new, show" in news
    for filters, most in (
        ({}, 19), ({"region": "emea"}, 22), ({"q": "changed play"}, 22), ({"run": str(ids[0])}, 19),
        ({"q": "dana", "region": "emea", "since": "2026-01-01"}, 25),
    ):  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            client.get("/audit", filters)
        assert len(captured) <= most, (filters, len(captured), [one["sql"][:80] for one in captured])


def test_a_checkpoint_by_a_key_that_nothing_sealed_brought_in_is_doubted(world, client, charlie):
    (id_,) = write(Line("play.changed", "play:x", "cli"))
    seal_all()
    client.force_login(charlie)
    assert "Checked now" in client.get(f"/audit/{id_}").content.decode()
    over = Checkpoint.objects.order_by("-size").first()
    stranger = keys.Signer.make("signalbox")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit_key (vkey) VALUES (%s)", [stranger.verifier.vkey])
        cursor.execute("ALTER TABLE audit_checkpoint DISABLE TRIGGER USER")
        forged = checkpoints.sign(stranger, over.size, bytes(over.root))
        cursor.execute("UPDATE audit_checkpoint SET note = %s WHERE size = %s", [forged, over.size])
    text = client.get(f"/audit/{id_}").content.decode()
    assert "nothing sealed brought in the key that signed it" in text
    assert "Checked now" not in text


def test_an_entry_sealed_after_the_key_changed_holds(world, client, charlie, settings, tmp_path):
    settings.VAR = tmp_path
    with seal.direct_connection() as conn:
        frontier = seal.load_frontier(conn)
        old, new = keys.signer(conn), rotation.ask(conn, actor="cli", by="cli", why="for the test")
        seal.seal_batch(conn, frontier, old)
        rotation.go_over(conn, rotation.due(conn, frontier.size))
        ids = write(Line("play.changed", "play:x", "cli"))
        assert keys.signer(conn).verifier == new
        seal.seal_batch(conn, frontier, keys.signer(conn))
    client.force_login(charlie)
    for id_ in (Entry.objects.earliest("id").pk, ids[0]):
        assert "Checked now" in client.get(f"/audit/{id_}").content.decode()
    with connection.cursor() as cursor:  # the old key signs what came after it was followed
        cursor.execute("ALTER TABLE audit_checkpoint DISABLE TRIGGER USER")
        forged = checkpoints.sign(old, frontier.size, frontier.root())
        cursor.execute("UPDATE audit_checkpoint SET note = %s WHERE size = %s", [forged, frontier.size])
    assert "It does not hold" in client.get(f"/audit/{ids[0]}").content.decode()


def test_an_entry_has_its_bytes_its_number_and_whether_the_seal_holds(world, client, charlie, bob):
    (id_,) = write(Line("play.changed", "play:x", bob.actor, detail={"version": 2}))
    client.force_login(charlie)
    assert "Not sealed yet" in client.get(f"/audit/{id_}").content.decode()
    seal_all()
    text = client.get(f"/audit/{id_}").content.decode()
    assert "Bob changed play x, now version 2" in text
    assert "Checked now" in text
    assert "&quot;verb&quot;:&quot;play.changed&quot;" in text
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_leaf DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_leaf SET hash = sha256('x') WHERE entry = %s", [id_])
    assert "It does not hold" in client.get(f"/audit/{id_}").content.decode()
    assert client.get("/audit/01890000-0000-7000-8000-000000000000").status_code == 404


def test_verify_says_what_it_checked_and_a_break_opens_an_incident(world, client, charlie, settings, tmp_path):
    settings.VAR = tmp_path  # sealers of other tests keep the checkpoints of their records in the shared one
    write(*(Line("play.changed", f"play:{n}", "cli") for n in range(5)))
    seal_all()
    sealed = Leaf.objects.count()
    client.force_login(charlie)
    assert client.get("/audit/verify").status_code == 405
    text = client.post("/audit/verify", follow=True).content.decode()
    assert f"The record holds: {sealed} sealed entries checked" in text
    assert f"Sealed entries</dt><dd>{sealed}" in text
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_leaf DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_leaf SET hash = sha256('x') WHERE seq = 3")
    text = client.post("/audit/verify", follow=True).content.decode()
    assert "The record is broken" in text
    assert "number 3" in text
    assert Incident.objects.get().kind == "record"


def test_the_page_says_who_verified_and_since_when_it_was_found_so(world, client, charlie, bob):
    def verified(found, actor):
        (id_,) = write(
            Line("record.verified", "record:all", actor, detail={"found": found, "result": "r", "sealed": 5})
        )
        return id_

    client.force_login(charlie)
    verified(0, "worker:watchdog")
    verified(2, charlie.actor)
    first = verified(0, "worker:watchdog")
    last = verified(0, bob.actor)
    answer = client.get("/audit")
    said = answer.context["verified"]
    assert (said.last.row.id, said.since, said.further) == (last, id_time(first), False)
    text = answer.content.decode()
    panel = text[text.index("Does it hold?") :]
    assert f'<a href="/audit/{last}">Bob verified the record' in panel
    assert "Found whole each time since" in panel
    verified(1, charlie.actor)
    text = client.get("/audit").content.decode()
    assert "Found broken each time since" in text[text.index("Does it hold?") :]


def test_export_is_what_the_filter_shows_without_live_cells(world, client, charlie):
    bad = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "|calc", "%0", "＝1", " =1", "a;=1", 'a"; "=1', "a\t+1")
    write(*(Line("play.changed", text, "cli", account=text) for text in bad), Line("x.y", "play:other", "cli"))
    client.force_login(charlie)
    answer = client.get("/audit/export.csv", {"verb": "play.changed"})
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()
    rows = list(csv.DictReader(StringIO(text)))
    assert len(rows) == len(bad)
    cells = [cell for row in rows for cell in row.values()]
    assert [cell for cell in cells if cell and cell.strip()[:1] in "=+-@|%＝"] == []
    for separator in ";\t":
        cells = [cell for row in csv.reader(StringIO(text), delimiter=separator) for cell in row]
        assert [cell for cell in cells if cell and cell.strip()[:1] in "=+-@＝"] == []
    assert client.get("/audit/export.csv", {"run": "x"}).status_code == 422


def test_export_reaches_back_ninety_days_or_as_far_as_told(world, client, charlie):
    client.force_login(charlie)

    def floor(**filters):
        with CaptureQueriesContext(connection) as asked:
            b"".join(client.get("/audit/export.csv", filters).streaming_content)
        (query,) = [one["sql"] for one in asked if "from audit_entry where" in one["sql"]]
        return id_time(UUID(re.search(r"id >= '([-0-9a-f]{32,36})'", query)[1]))

    assert timezone.now() - floor() < timedelta(days=90, minutes=1)
    assert floor(since="2024-02-03T00:00:00Z") == datetime(2024, 2, 3, tzinfo=UTC)
    assert floor(until="2024-02-03T00:00:00Z") == datetime(2024, 2, 3, tzinfo=UTC) - timedelta(days=90)


def test_a_question_too_big_for_the_record_says_so(world, client, charlie, monkeypatch):
    monkeypatch.setattr("console.views.audit.PATIENCE_MS", 50)
    monkeypatch.setattr("console.views.audit_export.PATIENCE_MS", 50)
    client.force_login(charlie)
    held, done = threading.Event(), threading.Event()

    def hold():
        with seal.direct_connection() as conn, conn.transaction():
            conn.execute("LOCK TABLE audit_entry IN ACCESS EXCLUSIVE MODE")
            held.set()
            done.wait(10)

    stream = client.get("/audit/export.csv").streaming_content
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        answer = client.get("/audit", headers={"HX-Request": "true", "HX-Target": "rows"})
        export = b"".join(stream).decode()
    finally:
        done.set()
        holder.join()
    assert answer.status_code == 422
    assert "narrow the time" in answer.content.decode()
    assert "narrow the time" in export.splitlines()[-1]


def test_moments_before_there_was_time_are_no_trouble(world, client, charlie):
    client.force_login(charlie)
    write(Line("play.changed", "play:x", "cli"))
    dawn = "0001-01-01"
    assert shown(client, since=dawn) == shown(client) != []
    assert shown(client, until=dawn) == []
    for filters, rows in (({"since": dawn}, len(shown(client))), ({"until": dawn}, 0)):
        exported = b"".join(client.get("/audit/export.csv", filters).streaming_content).decode()
        assert len(list(csv.reader(StringIO(exported)))) == 1 + rows
