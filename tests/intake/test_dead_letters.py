from datetime import UTC, datetime

import pytest

from agents.loop.dead_letters import discard, replay
from agents.loop.envelope import wrap
from agents.loop.intake import receive, understand
from agents.loop.tryout import last_received, try_mapping
from agents.models import DeadLetter, Seen, Signal
from agents.rules.errors import SpecError
from audit.models import Entry

AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ACTOR = "person:ana@example.com"
ODD = {"id": "x1", "type": "visit", "firm": "acme"}


def send(cur, known, body, *, format="json"):
    return receive(cur, [understand(known, wrap(format, body), at=AT)])


def mend(source, **mapping):
    source.mapping = mapping
    source.save(update_fields=["mapping"])


def test_a_mended_mapping_turns_a_letter_into_a_signal(cur, known, source):
    send(cur, known, ODD)
    letter = DeadLetter.objects.get()
    (still,) = replay([letter.id], actor=ACTOR)
    assert (still.fate, "account" in still.why) == ("dead", True)
    mend(source, account="firm")
    assert [one.fate for one in replay([letter.id], actor=ACTOR)] == ["accepted"]
    signal = Signal.objects.get()
    assert (signal.id, signal.account, signal.state, signal.received_at) == (letter.id, "acme", "new", AT)
    letter.refresh_from_db()
    assert (letter.state, letter.signal_id) == ("replayed", signal.id)
    assert letter.closed_at
    assert Entry.objects.get(verb="signal.replayed").actor == ACTOR
    assert replay([letter.id], actor=ACTOR) == []
    assert send(cur, known, ODD) == ["duplicate"]


def test_a_letter_without_an_id_gets_one_from_the_mended_mapping(cur, known, source):
    body = {"nr": "n7", "account": "acme"}
    send(cur, known, body)
    send(cur, known, body)
    mend(source, id="nr")
    fates = [one.fate for one in replay(DeadLetter.objects.values_list("id", flat=True), actor=ACTOR)]
    assert fates == ["accepted", "duplicate"]
    signal = Signal.objects.get()
    assert set(DeadLetter.objects.values_list("state", "signal_id")) == {("replayed", signal.id)}


def test_a_conflict_stays_one_until_its_id_differs(cur, known, source):
    send(cur, known, {"id": "a", "nr": 1, "account": "acme"})
    send(cur, known, {"id": "a", "nr": 2, "account": "acme"})
    letter = DeadLetter.objects.get()
    assert [one.fate for one in replay([letter.id], actor=ACTOR)] == ["conflict"]
    mend(source, id={"join": ["id", "nr"]})
    assert [one.fate for one in replay([letter.id], actor=ACTOR)] == ["accepted"]
    assert sorted(Signal.objects.values_list("external_id", flat=True)) == ["a", "a 2"]


def test_a_better_reason_is_kept(cur, known, source):
    send(cur, known, ODD)
    mend(source, account="firm", time="type")
    replay([DeadLetter.objects.get().id], actor=ACTOR)
    assert "not a time" in DeadLetter.objects.get().reason


def test_a_discarded_letter_may_be_sent_again(cur, known):
    send(cur, known, ODD)
    letter = DeadLetter.objects.get()
    assert discard([letter.id], actor=ACTOR) == 1
    assert discard([letter.id], actor=ACTOR) == 0
    letter.refresh_from_db()
    assert letter.state == "discarded"
    assert not Seen.objects.exists()
    assert send(cur, known, ODD) == ["dead"]
    assert Entry.objects.get(verb="signal.discarded").subject == f"signal:{letter.id}"


def test_a_mapping_is_tried_out_on_what_came(cur, known, source):
    send(cur, known, ODD)
    send(cur, known, {"id": "x2", "type": "visit", "account": "umbrella"})
    received = last_received(source)
    assert [(one.envelope.body["id"], bool(one.reason)) for one in received] == [("x2", False), ("x1", True)]
    tried = try_mapping({"account": ["account", "firm"]}, [one.envelope for one in received])
    assert [(mapped.account, mapped.problems) for mapped in tried] == [("umbrella", []), ("acme", [])]
    assert Signal.objects.count() == 1
    with pytest.raises(SpecError):
        try_mapping({"account": "a..b"}, [one.envelope for one in received])
    assert len(last_received(source, limit=1)) == 1
