"""Edit and approve: only what the clause lets, checked and decided again, and at high risk asked of somebody else."""

import hashlib

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from agents import access, questions
from agents.loop.gate import gate
from agents.loop.hot import hot
from agents.models import Action, Agent, Connection
from agents.rules.edits import edited, may_edit
from approvals.models import Approval, Edit
from audit.models import Entry
from tests import making
from tests.deciding import action_of, run_loop

SUBJECT = {"subject": "A better word"}


def edit(one, person, fields=SUBJECT):
    return questions.edit_and_approve(one.pk, person=person, binding=bytes(one.binding), fields=dict(fields))


def test_the_editor_says_yes_to_what_they_made_of_it(world, bob):
    (one,) = world.ask()
    before = action_of(one)
    after = edit(one, bob)
    action = action_of(one)
    assert (after.pk, after.state, action.state) == (one.pk, "approved", "ready")
    assert action.document == {**before.document, **SUBJECT}
    assert bytes(action.payload_hash) == hashlib.sha256(bytes(action.payload)).digest() != bytes(before.payload_hash)
    assert after.question["payload"] == action.document
    assert bytes(after.binding) != bytes(one.binding)
    kept = Edit.objects.get()
    assert kept.changes == {"subject": [before.document["subject"], "A better word"]}
    assert (bytes(kept.before_hash), bytes(kept.after_hash)) == (bytes(before.payload_hash), bytes(action.payload_hash))
    verbs = list(Entry.objects.filter(subject=one.subject).order_by("id").values_list("verb", flat=True))
    assert verbs[-2:] == ["action.edited", "action.approved"]
    assert "A better word" not in str(list(Entry.objects.values_list("body", flat=True)))


def test_what_was_edited_is_what_leaves(world, bob):
    (one,) = world.ask()
    edit(one, bob)
    Action.objects.update(not_before="2026-01-01T00:00+00:00")
    (permitted,) = gate(hot)
    assert permitted.payload["subject"] == "A better word"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"to": "eve@evil.example"}, "to"),
        ({"reply_to": "eve@evil.example"}, "reply_to"),
        ({"html": "<b>hi</b>"}, "html"),
        ({"subject": ""}, "subject"),
        ({"subject": "two\nlines"}, "subject"),
        ({"text": "  "}, "text"),
        ({"text": "half \0"}, "text"),
    ],
)
def test_what_may_not_be_edited_or_would_not_be_sent_is_refused_and_changes_nothing(world, bob, fields, path):
    (one,) = world.ask()
    with pytest.raises(ValidationError) as refused:
        edit(one, bob, fields)
    assert list(refused.value.message_dict) == [path]
    assert (Approval.objects.get().state, action_of(one).state, Edit.objects.count()) == ("waiting", "waiting", 0)


def test_at_high_risk_it_is_asked_anew_of_somebody_else(high, bob, carol):
    (one,) = high.ask()
    anew = edit(one, bob)
    old = Approval.objects.get(pk=one.pk)
    assert (anew.state, anew.supersedes_id, old.state, action_of(one).state) == (
        "waiting",
        one.pk,
        "withdrawn",
        "waiting",
    )
    assert (action_of(one).approval_id, anew.question["payload"]["subject"]) == (anew.pk, "A better word")
    assert not access.may_answer(bob, anew)
    with pytest.raises(PermissionDenied):
        questions.approve(anew.pk, person=bob, binding=bytes(anew.binding))
    with pytest.raises(questions.Stale, match="withdrawn"):
        questions.approve(one.pk, person=carol, binding=bytes(one.binding))
    assert questions.approve(anew.pk, person=carol, binding=bytes(anew.binding)).state == "approved"
    assert Edit.objects.get().approval_id == anew.pk


def test_at_high_risk_no_editor_of_an_earlier_turn_says_yes_either(high, bob, carol, person):
    (one,) = high.ask()
    second = edit(one, bob)
    third = edit(second, carol, {"subject": "Another word"})
    assert [access.may_answer(each, third) for each in (bob, carol, person("Dan"))] == [False, False, True]


def test_yeses_to_what_it_was_no_longer_count(two, bob, carol):
    (one,) = two.ask()
    questions.approve(one.pk, person=bob, binding=bytes(one.binding))
    after = edit(one, carol)
    assert (after.state, after.given) == ("waiting", 1)
    assert questions.approve(one.pk, person=bob, binding=bytes(after.binding)).state == "approved"


def test_the_boundaries_have_their_say_about_what_was_made_of_it(alice, workspace, bob):
    clauses = [
        {"id": "big", "say": "never", "min_value": 1000, "currency": "EUR"},
        {"id": "asks", "say": "ask", "editable": ["json.value"]},
    ]
    payload = {"json": {"value": "{{ signal.value }}", "note": "x"}}
    play = making.play(making.sandbox(), payload=payload)
    making.agent(play, alice, policy={"clauses": clauses})
    making.signals([{"fields": {"page": "/pricing", "value": 100, "currency": "EUR"}}])
    run_loop()
    one = Approval.objects.get()
    with pytest.raises(ValidationError, match="do not leave"):
        edit(one, bob, {"json.value": "5000"})
    assert edit(one, bob, {"json.value": "500"}).state == "approved"
    assert str(action_of(one).document["json"]["value"]) == "500"


def test_a_connection_that_changed_since_makes_the_edit_stale(world, bob):
    (one,) = world.ask()
    Connection.objects.filter(slug="mail").update(config={"host": "127.0.0.1", "port": 8, "tls": "none",
                                                         "from_address": "hello@signalbox.example"})  # fmt: skip
    with pytest.raises(questions.Stale, match="changed since"):
        edit(one, bob)


def test_nothing_changed_is_a_plain_yes(world, bob):
    (one,) = world.ask()
    subject = one.question["payload"]["subject"]
    assert edit(one, bob, {"subject": subject}).state == "approved"
    assert bytes(Approval.objects.get().binding) == bytes(one.binding)
    assert Agent.objects.count() == 1


def test_paths():
    assert may_edit("json.note", ["json"])
    assert not may_edit("json.notes", ["json.note"])
    assert not may_edit("to", ["to"])
    payload = {"json": {"n": 1, "ok": True, "list": ["a", {"b": None}]}, "headers": {"x": "y"}}
    fields = {"json.n": "2.5", "json.ok": "false", "json.list.0": "z", "json.list.1.b": "", "headers.x": "q"}
    after, changes, wrong = edited(payload, fields, ["json", "headers"])
    assert after["json"] == {"n": 2.5, "ok": False, "list": ["z", {"b": None}]}
    assert set(changes) == {"json.n", "json.ok", "json.list.0"}
    assert set(wrong) == {"headers.x"}
    assert payload["json"]["n"] == 1
    assert edited(payload, {"json.n": "many"}, ["json"])[2] == {"json.n": "Write a number, such as 12 or 12.5."}
