"""Scopes: two trees to read, make, change and move, with codes that are whole paths."""

import json

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from agents.changes.source import set_mapping
from agents.models import Agent, Pause, Region, Segment
from audit.models import Entry
from tests import making
from tests.pages.arriving import source

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(person):
    return person("Ada", role="admin")


@pytest.fixture
def emea(db):
    return making.region("emea/de").parent


def region(**more):
    week = {f"{day}-{end}": at for day in ("mon", "tue") for end, at in (("from", "09:00"), ("to", "17:30"))}
    return {
        "name": "Germany",
        "key": "de",
        "parent": "emea",
        "time_zone": "Europe/Berlin",
        "currency": "eur",
        **week,
        **more,
    }


def entries(verb):
    return [json.loads(bytes(one.body)) for one in Entry.objects.filter(verb=verb).order_by("id")]


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("ops", False), ("engineer", False), ("auditor", False)])
def test_everyone_reads_scopes_and_admins_change_them(client, person, emea, role, may):
    client.force_login(person("Someone", role=role))
    assert client.get("/scopes").status_code == client.get("/scopes/regions/emea/de").status_code == 200
    assert client.get("/scopes/regions/new").status_code == (200 if may else 403)
    assert client.post("/scopes/regions/emea/de", region()).status_code == (303 if may else 403)
    assert client.post("/scopes/regions/emea/de", {"do": "move"}).status_code == (303 if may else 403)
    assert Region.objects.filter(code="de").exists() is may


def test_a_region_is_made_beneath_another(client, ada):
    Region.objects.create(code="emea", name="EMEA")
    client.force_login(ada)
    assert client.get("/scopes/regions/new?beneath=emea").context["form"]["parent"].value() == "emea"
    assert client.post("/scopes/regions/new", region()).status_code == 303
    made = Region.objects.get(code="emea/de")
    assert (made.parent.code, made.currency, made.time_zone) == ("emea", "EUR", "Europe/Berlin")
    assert made.working_hours == {"mon": ["09:00", "17:30"], "tue": ["09:00", "17:30"]}
    (entry,) = entries("region.created")
    assert (entry["subject"], entry["detail"]["changed"]["currency"]) == ("region:emea/de", [None, "EUR"])
    assert "Mon to Tue 09:00–17:30" in client.get("/scopes").content.decode()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"key": "D E"}, "key"),
        ({"key": "taken"}, "key"),
        ({"key": "new"}, "key"),
        ({"parent": "unassigned"}, "parent"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"currency": "EU"}, "currency"),
        ({"mon-to": "08:00"}, "mon-to"),
        ({"tue-from": ""}, "tue-from"),
        ({"name": ""}, "name"),
    ],
)
def test_every_fault_is_at_its_field(client, ada, emea, wrong, field):
    making.region("emea/taken")
    before = Region.objects.count()
    client.force_login(ada)
    answer = client.post("/scopes/regions/new", region(key="at") | wrong)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert Region.objects.count() == before


def test_a_change_is_recorded_and_an_old_page_writes_nothing_over(client, ada, emea):
    client.force_login(ada)
    seen = client.get("/scopes/regions/emea").context["seen"]
    assert client.post("/scopes/regions/emea", region(name="Europe", seen=seen)).status_code == 303
    (entry,) = entries("region.changed")
    assert entry["detail"]["changed"]["name"] == ["EMEA", "Europe"]
    late = client.post("/scopes/regions/emea", region(name="Elsewhere", seen=seen))
    assert late.status_code == 412
    assert "Ada changed this" in late.content.decode()
    assert Region.objects.get(code="emea").name == "Europe"


def test_unassigned_stays_as_it_is(client, ada):
    client.force_login(ada)
    text = client.get("/scopes/regions/unassigned").content.decode()
    assert "stays as it is" in text
    assert "Save" not in text
    assert client.post("/scopes/regions/unassigned", region(name="Nowhere")).status_code == 422
    assert client.post("/scopes/segments/unassigned", {"do": "move"}).status_code == 422
    assert set(Region.objects.values_list("code", "name")) == {("unassigned", "Unassigned")}


def test_a_move_takes_all_beneath_along_and_is_recorded_for_each(client, ada):
    making.region("emea/dach/at")
    making.region("world")
    client.force_login(ada)
    answer = client.post("/scopes/regions/emea/dach", {"do": "move", "parent": "world"})
    assert (answer.status_code, answer["Location"]) == (303, "/scopes/regions/world/dach")
    codes = dict(Region.objects.values_list("code", "parent__code"))
    tree = {"emea": None, "unassigned": None, "world": None, "world/dach": "world", "world/dach/at": "world/dach"}
    assert codes == tree
    assert [one["detail"]["changed"]["code"] for one in entries("region.changed")] == [
        ["emea/dach", "world/dach"], ["emea/dach/at", "world/dach/at"]]  # fmt: skip
    client.post("/scopes/regions/world/dach", {"do": "move", "parent": ""})
    assert Region.objects.get(code="dach/at").parent.code == "dach"


def test_a_cycle_and_a_taken_code_are_refused(client, ada):
    making.region("emea/dach/at")
    making.region("dach")
    client.force_login(ada)
    for code, parent in (("emea", "emea/dach"), ("emea", "emea"), ("emea/dach", ""), ("emea", "unassigned")):
        answer = client.post(f"/scopes/regions/{code}", {"do": "move", "parent": parent})
        assert answer.status_code == 422, (code, parent)
        assert answer.context["move"].errors["parent"]
    assert not entries("region.changed")


def test_what_is_named_is_not_moved(client, ada, alice):
    """A boundary, a condition, a mapping and a pause each hold their scope where it is."""
    for code in ("emea/de", "amer/us", "apac/jp", "latam", "free", "world"):
        making.region(code)
    ask_emea = {"clauses": [{"id": "c1", "say": "ask", "regions": ["emea/de"]}]}
    agent = making.agent(making.play(making.sandbox()), alice, policy=ask_emea)
    japan = {"field": "signal.region", "op": "eq", "value": "apac/jp"}
    Agent.objects.filter(pk=agent.pk).update(choices=[{"play": "greet", "when": {"all": [japan]}, "min_score": 0}])
    set_mapping(source(), actor="cli", mapping={"region_map": {"US": "amer/us"}})
    Pause.objects.create(region=Region.objects.get(code="latam"), reason="Freeze", set_at="2026-01-01T00:00Z")
    client.force_login(ada)

    def said(code):
        answer = client.post(f"/scopes/regions/{code}", {"do": "move", "parent": "world"})
        return answer.status_code == 303 or answer.context["move"].errors["parent"][0]

    assert "the agent Inbound" in said("emea")
    assert "the agent Inbound" in said("apac/jp")
    assert "the mapping of Website" in said("amer/us")
    assert "the pause of LATAM" in said("latam")
    assert said("free") is True
    assert "The agent Inbound" in client.get("/scopes/regions/emea/de").content.decode()


def test_segments_show_their_rules_and_who_names_them(client, ada, alice):
    making.segment("enterprise")
    rule = {"condition": {"field": "fields.employees", "op": "gte", "value": 1000}, "segment": "enterprise"}
    set_mapping(source(), actor="cli", mapping={"segment_rules": [rule]})
    ask = {"clauses": [{"id": "c1", "say": "ask", "segments": ["enterprise"]}]}
    making.agent(making.play(making.sandbox()), alice, policy=ask)
    client.force_login(ada)
    page = client.get("/scopes")
    assert "Employees is at least 1000" in page.content.decode()
    assert [one.name for one in page.context["segments"][0]["agents"]] == ["Inbound"]
    client.post("/scopes/segments/new", {"name": "Public", "key": "public", "parent": "enterprise"})
    assert Segment.objects.get(code="enterprise/public").parent.code == "enterprise"
    assert entries("segment.created")[0]["subject"] == "segment:enterprise/public"


def test_many_cost_no_more_queries_than_few(client, ada, alice):
    for n in range(40):
        making.region(f"emea/r{n}")
        making.segment(f"s{n}")
    for n in range(8):
        making.agent(making.play(making.sandbox(f"box-{n}"), f"play-{n}"), alice, f"agent-{n}")
        source(f"source-{n}")
    Pause.objects.create(region=Region.objects.get(code="emea"), reason="Freeze", set_at="2026-01-01T00:00Z")
    client.force_login(ada)
    with CaptureQueriesContext(database) as queries:
        page = client.get("/scopes")
    assert len(queries) <= 13
    assert sum(row["paused"] for row in page.context["regions"]) == 41
    with CaptureQueriesContext(database) as queries:
        client.get("/scopes/regions/emea/r7")
    assert len(queries) <= 12
