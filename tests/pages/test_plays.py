"""Plays: made and edited step by step, every fault at its field, each version kept, read for a real signal."""

import json

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Play, PlayVersion, Region, Run
from audit.models import Entry
from tests import making
from tests.pages.arriving import arrive, event, source

pytestmark = pytest.mark.django_db


@pytest.fixture
def mia(person):
    return person("Mia", role="ops")


@pytest.fixture
def box(db):
    return making.sandbox("box")


def step(n, **more):
    said = {"key": "mail", "connection": "box", "delay_minutes": "0", "p-subject": "Hello {{ signal.person }}",
            "may_undo": "on", **more}  # fmt: skip
    return {f"step-{n}-{name}": value for name, value in said.items()}


def form(*steps, do="save", **more):
    said = {"name": "Greet", "purpose": "", "risk": "medium", "steps": str(len(steps)), "do": do, **more}
    for n, one in enumerate(steps):
        said |= step(n, **one)
    return said


def entries(slug):
    return [
        (one.verb, json.loads(bytes(one.body))["detail"])
        for one in Entry.objects.filter(subject=f"play:{slug}").order_by("id")
    ]


@pytest.mark.parametrize(
    ("role", "may"), [("admin", True), ("ops", True), ("engineer", True), ("rep", False), ("auditor", False)]
)
def test_everyone_reads_plays_and_builders_change_them(client, person, box, role, may):
    making.play(box)
    client.force_login(person("Someone", role=role))
    assert client.get("/plays").status_code == client.get("/plays/greet").status_code == 200
    for path in ("/plays/new", "/plays/greet/edit"):
        assert client.get(path).status_code == (200 if may else 403)
    assert client.post("/plays/new", form({})).status_code == (303 if may else 403)
    assert Play.objects.count() == (2 if may else 1)


def test_is_made_and_recorded_as_version_one(client, mia, box):
    client.force_login(mia)
    answer = client.post("/plays/new", form({}, {"key": "note", "p-subject": "", "p-json": '{"n": "{{ score }}"}'}))
    assert (answer.status_code, answer["Location"]) == (303, "/plays/greet")
    made = Play.objects.get()
    assert made.steps[0] == {
        "key": "mail", "connection": "box", "payload": {"subject": "Hello {{ signal.person }}"}, "delay_minutes": 0,
        "undo": {},
    }  # fmt: skip
    assert made.steps[1]["payload"] == {"json": {"n": "{{ score }}"}}
    assert (PlayVersion.objects.get().steps, made.edited_by) == (made.steps, mia)
    ((verb, detail),) = entries("greet")
    assert (verb, detail["version"], detail["changed"]["risk"]) == ("play.created", 1, [None, "medium"])


def test_every_fault_is_at_its_field_with_how_to_mend(client, mia, box):
    client.force_login(mia)
    wrong = {"p-subject": "Hello {{ signal.person", "delay_minutes": "-5", "key": "Not a key"}
    answer = client.post("/plays/new", form({"key": "one"}, {**wrong, "key": "one"}, {"key": "two", "p-subject": ""}))
    assert answer.status_code == 422
    _, second, third = answer.context["steps"]
    assert set(second.errors) == {"key", "delay_minutes", "p-subject"}
    assert "Give each its own" in second.errors["key"][0]
    assert "nothing to send" in str(third.errors)
    assert 'aria-invalid="true"' in answer.content.decode()
    answer = client.post("/plays/new", form({"p-json": "{not json", "connection": ""}, name=""))
    assert "name" in answer.context["form"].errors
    assert "connection" in answer.context["steps"][0].errors
    answer = client.post("/plays/new", form())
    assert "Add one" in answer.content.decode()
    assert not Play.objects.exists()


def test_steps_are_added_moved_and_removed_without_saving(client, mia, box):
    client.force_login(mia)
    typed = ({"key": "a", "p-subject": "first {{"}, {"key": "b"}, {"key": "c"})

    def keys(do):
        answer = client.post("/plays/new", form(*typed, do=do))
        assert answer.status_code == 200
        return [one["key"].value() for one in answer.context["steps"]]

    assert keys("add") == ["a", "b", "c", None]
    assert keys("up-2") == ["a", "c", "b"]
    assert keys("remove-1") == ["a", "c"]
    assert keys("up-0") == keys("remove-9") == ["a", "b", "c"]
    assert "first {{" in client.post("/plays/new", form(*typed, do="add")).content.decode()
    assert not Play.objects.exists()


def test_an_edit_makes_the_next_version_and_keeps_the_last(client, mia, box):
    client.force_login(mia)
    client.post("/plays/new", form({}))
    opened = client.get("/plays/greet/edit")
    assert opened.context["form"]["risk"].value() == "medium"
    said = form({"p-subject": "Good day"}, name="Greet", is_active="on", version="1")
    assert client.post("/plays/greet/edit", said).status_code == 303
    assert [one.steps[0]["payload"]["subject"] for one in PlayVersion.objects.order_by("version")] == [
        "Hello {{ signal.person }}", "Good day"]  # fmt: skip
    verb, detail = entries("greet")[1]
    assert (verb, detail["version"], list(detail["changed"])) == ("play.changed", 2, ["steps"])
    text = client.get("/plays/greet?version=2").content.decode()
    assert "Version 2 against 1" in text
    assert "Good day" in text
    same = client.post("/plays/greet/edit", {**said, "version": "2"})
    assert (same.status_code, Play.objects.get().version, len(entries("greet"))) == (303, 2, 2)
    off = {key: value for key, value in said.items() if key != "is_active"}
    client.post("/plays/greet/edit", {**off, "version": "2"})
    assert (Play.objects.get().is_active, Play.objects.get().version, len(entries("greet"))) == (False, 2, 3)


def test_the_second_of_two_editors_is_told_who_was_first(client, mia, box):
    client.force_login(mia)
    client.post("/plays/new", form({}))
    client.post("/plays/greet/edit", form({"p-subject": "One"}, version="1", is_active="on"))
    answer = client.post("/plays/greet/edit", form({"p-subject": "Two"}, version="1", is_active="on"))
    assert answer.status_code == 412
    assert "Mia changed this" in answer.content.decode()
    assert Play.objects.get().steps[0]["payload"]["subject"] == "One"


def test_each_step_is_shown_as_it_would_read_for_a_real_signal(client, mia, alice, box):
    Region.objects.create(code="emea", name="EMEA")
    arrive(source(), event(1, person="Jo <b>Meyer</b>"), event(2, person="Kim Oh"))
    making.play(box, payload={"subject": "Hello {{ signal.person }}", "text": "You are at {{ signal.plan }}"})
    client.force_login(mia)
    page = client.get("/plays/greet")
    assert page.context["preview"][0].missing == ["signal.plan"]
    assert "Hello Kim Oh" in page.content.decode()
    first = page.context["pasts"][1].signal
    text = client.get(f"/plays/greet?on={first.pk}").content.decode()
    assert "Hello Jo &lt;b&gt;Meyer&lt;/b&gt;" in text
    said = form({"p-subject": "Dear {{ signal.person }}"}, do="preview", on=str(first.pk))
    answer = client.post("/plays/greet/edit", said)
    assert "Dear Jo &lt;b&gt;Meyer&lt;/b&gt;" in answer.content.decode()
    assert not Run.objects.exists()
    assert Play.objects.get().version == 1


def test_names_the_agents_that_choose_it_in_few_queries(client, mia, alice, box):
    for n in range(12):
        one = making.play(box, f"play-{n}")
        PlayVersion.objects.create(play=one, version=1, name=one.name, risk=one.risk, steps=one.steps)
        making.agent(one, alice, f"agent-{n}")
    arrive(source(), *[event(n) for n in range(30)])
    client.force_login(mia)
    for path in ("/plays", "/plays/play-3", "/plays/play-3/edit"):
        with CaptureQueriesContext(database) as queries:
            text = client.get(path).content.decode()
        assert len(queries) <= 12, path
        assert path.endswith("edit") or 'href="/agents/agent-3"' in text


def test_what_others_agents_work_with_is_changed_by_those_who_may_publish_them(client, person, alice, mia, box):
    used = making.agent(making.play(box), alice, slug="inbound")
    making.source("web")
    places = ("/plays/greet/edit", "/sources/web/mapping")

    def answers(who):
        client.force_login(who)
        return [client.get(place).status_code for place in places]

    zoe = person("Zoe", role="owner")
    assert answers(alice) == answers(person("Dana", role="ops")) == [200, 200]
    assert answers(zoe) == [403, 403]
    refused = client.post(places[0], form({}, version="1"))
    assert refused.status_code == 403
    assert "it is at work for Inbound (Alice owns it)" in refused.content.decode()
    assert "/plays/greet/edit" not in client.get("/plays/greet").content.decode()
    assert answers(person("Eve", role="engineer")) == [403, 200]
    Agent.objects.filter(pk=used.pk).update(stage="draft")
    assert answers(zoe) == [200, 200]


def test_a_step_may_cost_something(client, mia, box):
    client.force_login(mia)
    assert client.post("/plays/new", form({"cost": "0.05"}, {"key": "second"})).status_code == 303
    play = Play.objects.get()
    assert [step.get("cost") for step in play.steps] == [0.05, None]
    assert "0.05" in client.get("/plays/greet/edit").content.decode()
    refused = client.post("/plays/new", form({"cost": "-1"}, name="Other"))
    assert (refused.status_code, Play.objects.count()) == (422, 1)
