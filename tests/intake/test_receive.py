import json
from datetime import UTC, datetime

import orjson
import pytest

from agents.loop.envelope import wrap
from agents.loop.intake import receive, understand
from agents.loop.sources import KnownSource
from agents.models import DeadLetter, Seen, Signal
from audit.models import Entry
from tests.intake.conftest import make_source

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
VISIT = {
    "id": "v1",
    "type": "visit",
    "time": "2026-11-21T09:59:00Z",
    "account": "acme.example",
    "account_name": "Acme",
    "person": "Ana Ito",
    "email": "Ana@acme.example",
    "region": "DE",
    "segment": "enterprise",
    "value": 12.5,
    "employees": 1200,
}


def row(known, body, *, format="json", id=""):
    return understand(known, wrap(format, body, id=id), at=AT)


def test_a_signal_is_kept_as_mapped_with_its_entry(cur, known):
    one = row(known, VISIT)
    assert receive(cur, [one]) == ["accepted"]
    signal = Signal.objects.get()
    assert signal.id == one.id
    assert (signal.external_id, signal.type, signal.state, signal.format) == ("v1", "visit", "new", "json")
    assert signal.occurred_at == datetime(2026, 11, 21, 9, 59, tzinfo=UTC)
    assert signal.received_at == AT
    assert (signal.account, signal.account_name, signal.person) == ("acme.example", "Acme", "Ana Ito")
    assert signal.email == "ana@acme.example"
    assert len(bytes(signal.contact)) == 16
    assert (signal.region.code, signal.segment.code) == ("emea/de", "enterprise")
    assert signal.fields["employees"] == 1200
    assert signal.fields["value"] == 12.5
    assert signal.document == VISIT
    entry = Entry.objects.get(verb="signal.received")
    assert (entry.subject, entry.actor) == (f"signal:{one.id}", "source:web")
    assert (entry.region, entry.segment, entry.account) == ("emea/de", "enterprise", "acme.example")
    body = bytes(entry.body).decode()
    assert "Ana" not in body
    assert json.loads(body)["detail"] == {"format": "json", "id": one.hash, "source": "web", "type": "visit"}


@pytest.mark.parametrize("emptied", ["account_name", "person", "email", "region", "type", "time"])
def test_what_a_signal_does_not_say_stays_empty(cur, known, emptied):
    body = {key: value for key, value in VISIT.items() if key != emptied}
    assert receive(cur, [row(known, body)]) == ["accepted"]
    signal = Signal.objects.get()
    expected = {"region": "unassigned", "type": "signal", "time": AT}.get(emptied, "")
    found = {"region": signal.region.code, "time": signal.occurred_at}.get(emptied, getattr(signal, emptied, None))
    assert found == expected
    assert (signal.contact is None) == (emptied == "email")


def test_a_repeat_is_told_from_a_conflict(cur, known):
    again, other = {**VISIT}, {**VISIT, "employees": 3}
    assert receive(cur, [row(known, VISIT)]) == ["accepted"]
    assert receive(cur, [row(known, again), row(known, other), row(known, other)]) == [
        "duplicate",
        "conflict",
        "duplicate",
    ]
    assert receive(cur, [row(known, other)]) == ["duplicate"]
    assert Signal.objects.count() == 1
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.state, letter.external_id) == ("conflict", "open", "v1")
    assert letter.document == other
    assert Entry.objects.filter(verb="signal.conflict").count() == 1


def test_repeats_and_conflicts_within_one_group(cur, known):
    bodies = [VISIT, {**VISIT, "employees": 1}, VISIT, {**VISIT, "id": "v2"}, {**VISIT, "employees": 1}]
    fates = receive(cur, [row(known, body) for body in bodies])
    assert fates == ["accepted", "conflict", "duplicate", "accepted", "duplicate"]
    assert Signal.objects.count() == 2
    assert DeadLetter.objects.count() == 1


def test_in_a_group_later_ones_are_held_against_what_was_there_before(cur, known):
    receive(cur, [row(known, VISIT)])
    assert receive(cur, [row(known, {**VISIT, "employees": 1}), row(known, VISIT)]) == ["conflict", "duplicate"]


def test_what_is_not_understood_becomes_a_dead_letter_once_an_id(cur, known):
    nameless, lost = {"id": "x1", "type": "visit"}, {"type": "visit", "account": "acme"}
    fates = receive(cur, [row(known, body) for body in (nameless, nameless, lost, lost)])
    assert fates == ["dead", "duplicate", "dead", "dead"]
    assert receive(cur, [row(known, nameless)]) == ["duplicate"]
    letters = DeadLetter.objects.order_by("id")
    assert [letter.external_id for letter in letters] == ["x1", "", ""]
    assert "account" in letters[0].reason
    assert "id" in letters[1].reason
    assert Signal.objects.count() == 0
    assert Entry.objects.filter(verb="signal.dead").count() == 3


def test_the_formats_id_serves_where_the_mapping_finds_none(cur, known):
    body = {"type": "visit", "account": "acme"}
    assert receive(cur, [row(known, body, id="msg_1")]) == ["accepted"]
    assert receive(cur, [row(known, body, id="msg_1")]) == ["duplicate"]
    assert receive(cur, [row(known, body, id="msg_2")]) == ["accepted"]


def test_ids_belong_to_their_source(cur, known):
    other = KnownSource(known.row._replace(id=make_source("other").id, slug="other"), known.scopes)
    assert receive(cur, [row(known, VISIT), row(other, VISIT)]) == ["accepted", "accepted"]
    assert Seen.objects.count() == 2


def test_what_senders_stamp_anew_makes_no_conflict(cur, known):
    call = {"type": "track", "messageId": "m1", "userId": "u1", "event": "Visited", "timestamp": "2026-11-21T09:00:00Z"}
    later = {**call, "timestamp": "2026-11-21T09:00:05Z", "sentAt": "2026-11-21T09:00:06Z"}
    assert receive(cur, [row(known, call, format="segment")]) == ["accepted"]
    assert receive(cur, [row(known, later, format="segment")]) == ["duplicate"]


def test_a_faulty_mapping_loses_nothing(cur, known):
    broken = KnownSource(known.row._replace(mapping='{"account": "a..b"}'), known.scopes)
    assert receive(cur, [row(broken, VISIT)]) == ["dead"]
    assert "mapping is faulty" in DeadLetter.objects.get().reason


def test_columns_cannot_slip_into_each_other(cur, known):
    nasty = "a\x1fb\x00c\ud83d".encode("utf-8", "replace").decode()
    body = {**VISIT, "type": nasty, "account": f"{nasty}1", "person": nasty, "id": f"{nasty}2", "note": nasty}
    body[nasty] = nasty
    assert receive(cur, [row(known, body), row(known, VISIT)]) == ["accepted", "accepted"]
    first = Signal.objects.order_by("id").first()
    assert first.document == body
    assert "\x1f" not in first.type + first.account + first.person + first.external_id


def test_a_batch_of_a_thousand_is_one_group(cur, known):
    rows = [row(known, {**VISIT, "id": f"b{n}"}) for n in range(1000)]
    assert set(receive(cur, rows)) == {"accepted"}
    assert Signal.objects.count() == Seen.objects.count() == 1000
    assert Entry.objects.filter(verb="signal.received").count() == 1000
    assert orjson.loads(bytes(Signal.objects.order_by("-id").first().payload))["id"] == "b999"
