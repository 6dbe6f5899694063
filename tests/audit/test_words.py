import ast
import re
from datetime import UTC, datetime

import pytest
from django.conf import settings

from audit.ids import new_id
from audit.timeline import Row
from audit.words import VERBS, kinds, refer, say

AT = datetime(2026, 11, 3, tzinfo=UTC)


def row(verb, subject="agent:inbound-intent", actor="person:ana@example.com", detail=None, **given):
    columns = {"agent": "", "run": None, "region": "", "segment": "", "account": "", "request": "", **given}
    return Row(new_id(), AT, verb, actor, subject, detail=detail or {}, seq=None, **columns)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_makes_a_sentence_of_whatever_it_is_given(verb):
    bare = say(row(verb, actor="cli"))
    assert bare[0].isupper()
    assert not set("[]{}") & set(bare)
    full = say(row(verb, actor="cli", agent="inbound-intent", region="emea", detail={"why": "too old", "status": 200}))
    assert len(full) >= len(bare)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            row("pause.set", "pause:3", region="emea", detail={"why": "quarter end"}),
            "ana@example.com paused emea: quarter end",
        ),
        (row("agent.changed"), "ana@example.com changed agent inbound-intent"),
        (
            row(
                "action.delivered",
                "action:01a1fddf-3d44-75f1-9e76-bed98ff1755a",
                "worker:loop",
                {"status": 202},
                agent="a",
            ),
            "Signalbox delivered action …8ff1755a for a, answer 202",
        ),
        (row("connection.closed", "connection:crm"), "Connection crm works again"),
        (row("tea.made", "pot:1", "cli"), "The command line: tea.made pot 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_wording(given, sentence):
    assert say(given) == sentence


def test_names_come_from_whoever_knows_them():
    given = row("action.approved", "action:1", "person:7")
    assert say(given, name={"person:7": "Ana Lima"}.get) == "Ana Lima approved action 1"
    paged = row("incident.paged", "incident:4", "worker:watchdog", {"person": "person:7"})
    assert say(paged, name={"person:7": "Ana Lima"}.get) == "Signalbox paged Ana Lima about incident 4"


def test_a_strangers_text_is_not_taken_for_a_template():
    given = row("signal.received", actor="source:web", detail={"type": "{actor} [x] {subject}"})
    assert "of type {actor} [x] {subject}" in say(given)


def test_every_verb_written_anywhere_is_in_the_vocabulary():
    found = {}
    for room in ("console", "agents", "approvals"):
        for path in (settings.BASE_DIR / room).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and _called(call) in ("Line", "line", "_line", "_record", "_entry"):
                    found |= dict.fromkeys(_verbs(call), f"{path}:{call.lineno}")
    assert found
    assert not {verb: where for verb, where in found.items() if verb not in VERBS}


def _called(call):
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _verbs(call):
    given = [*call.args[:2], *(keyword.value for keyword in call.keywords if keyword.arg == "verb")]
    texts = [node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if re.fullmatch(r"[a-z]+\.[a-z_]+", text)]


def test_kinds_group_the_verbs():
    said = ("set", "staged", "extended", "lifted", "told", "drilled")
    assert kinds()["pause"] == [f"pause.{verb}" for verb in said]
    assert refer("cli") == "cli"
