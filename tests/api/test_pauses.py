"""Pauses by the API: the same sections, blast radius, stages and refusals as the page."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import pauses
from agents.models import Pause
from audit.models import Entry
from tests.api.test_tokens import problem
from tests.deciding import furnish

URL = "/api/v1/pauses"


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


@pytest.fixture
def olga(person):
    return person("Olga", role="ops")


@pytest.fixture
def mine(olga, token, api):
    return api(token(olga, "see", "pause"))


def send(client, method, url, body=None):
    return getattr(client, method)(url, body, content_type="application/json") if body is not None else getattr(
        client, method
    )(url)  # fmt: skip


@pytest.mark.parametrize(
    "section",
    [{"region": "emea"}, {"segment": "smb"}, {"agent": "inbound-intent"}, {"play": "intro"}, {"connection": "mail"},
     {"region": "emea/de", "segment": "smb", "agent": "inbound-intent", "play": "intro", "connection": "mail"},
     {"everything": True}],
    ids=lambda section: "-".join(section),
)  # fmt: skip
def test_any_section_is_paused_listed_and_lifted(world, mine, olga, section):
    answer = send(mine, "post", URL, {**section, "reason": "Wrong messages", "until": "2h"})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    named = {name: code for name, code in section.items() if name != "everything"}
    assert (made["section"], made["state"], made["set_by"]) == (named, "paused", olga.email)
    assert answer["Location"].endswith(f"{URL}/{made['id']}")
    assert [one["id"] for one in mine.get(URL).json()["items"]] == [made["id"]]
    gone = mine.delete(f"{URL}/{made['id']}?why=mended")
    assert (gone.status_code, gone.json()["state"]) == (200, "over")
    assert mine.get(URL).json()["items"] == []
    assert [one["id"] for one in mine.get(f"{URL}?all=1").json()["items"]] == [made["id"]]
    assert "Olga resumed it at" in problem(mine.delete(f"{URL}/{made['id']}"), 409)["detail"]
    verbs = Entry.objects.filter(subject=f"pause:{made['id']}").order_by("id").values_list("verb", "actor")
    assert list(verbs) == [("pause.set", olga.actor), ("pause.lifted", olga.actor)]


@pytest.mark.parametrize(
    ("body", "where", "says"),
    [
        ({"region": "mars", "reason": "x"}, "region", "There is: amer, apac, emea"),
        ({"region": ["emea"], "reason": "x"}, "region", "There is no region"),
        ({"agent": "\ud800", "reason": "x"}, "agent", "There is no agent"),
        ({"reason": "x"}, "everything", "close it all"),
        ({"region": "emea", "everything": True, "reason": "x"}, "everything", "contradict"),
        ({"everything": "yes", "reason": "x"}, "everything", "true or false"),
        ({"region": "emea"}, "reason", "Say why"),
        ({"region": "emea", "reason": "   "}, "reason", "Say why"),
        ({"region": "emea", "reason": 7}, "reason", "Say why"),
        ({"region": "emea", "reason": "a\0b"}, "reason", "Say why"),
        ({"region": "emea", "reason": "x", "until": "soon"}, "until", "is no time"),
        ({"region": "emea", "reason": "x", "until": "\ud800"}, "until", "“?” is no time"),
        *(
            ({"region": "emea", "reason": "x", "until": odd}, "until", "or null")
            for odd in ({}, [], 0, False, 7, "", " ")
        ),
        ({"\ud800": 1}, "?", "no such member"),
        ({"region": "emea", "reason": "x", "until": "2001-01-01T00:00Z"}, "until", "is past"),
        ({"region": "emea", "reason": "x", "reigon": "emea"}, "reigon", "no such member"),
    ],
)
def test_what_does_not_hold_says_where_and_pauses_nothing(world, mine, body, where, says):
    found = {one["where"]: one["what"] for one in problem(send(mine, "post", URL, body), 422)["errors"]}
    assert says in found[where]
    assert not Pause.objects.exists()


@pytest.mark.parametrize("body", ["[]", '"emea"', "{", "null"])
def test_what_is_no_object_is_refused(world, mine, body):
    assert send(mine, "post", URL, body).status_code in (400, 422)
    assert not Pause.objects.exists()


@pytest.mark.parametrize(
    "size", ["0", "201", "1" + "0" * 5, "0" * 9 + "1" * 30, "0" * 9 + "1000000", "²", "-1", "9" * 5000]
)
def test_a_size_is_from_1_to_200(world, mine, size):
    assert problem(mine.get(URL, {"size": size}), 422)["errors"][0]["where"] == "size"


@pytest.mark.parametrize("after", ["x", "9" * 30, "9" * 5000, "-", "é"])
def test_a_key_is_of_the_page_before(world, mine, after):
    assert problem(mine.get(URL, {"after": after}), 422)["errors"][0]["where"] == "after"


@pytest.mark.parametrize("address", [f"{URL}?after=%00", f"{URL}/blast?region=%00", f"{URL}/%00", f"{URL}?%00=1"])
def test_a_nul_in_the_address_is_a_problem_as_well(world, mine, address):
    assert "NUL" in problem(mine.get(address), 400)["detail"]


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data", "text/html"])
def test_a_form_is_a_problem_as_well(world, mine, kind):
    problem(mine.generic("POST", URL, b"--x\r\nreason=\0", content_type=kind), 415)


def test_what_it_would_stop_is_told_before(world, mine):
    world.ask(3, region="emea/de")
    pauses.set_pause(pauses.Section(agent=world.agent), reason="x", actor="cli")
    body = mine.get(f"{URL}/blast?region=emea").json()
    assert (body["agents"], body["told"], body["waiting"], body["queued"]) == (["Inbound intent"], ["Alice"], 3, 0)
    assert [(one["words"], one["whole"]) for one in body["closed_already"]] == [("EMEA · Inbound intent", False)]
    assert problem(mine.get(f"{URL}/blast"), 422)["errors"][0]["where"] == "everything"
    assert mine.get(f"{URL}/blast?everything=true").json()["waiting"] == 3


def test_it_is_opened_in_stages_and_put_off(world, mine):
    pk = send(mine, "post", URL, {"region": "emea", "reason": "x"}).json()["id"]
    there = f"{URL}/{pk}"
    for share, state in ((10, "resuming"), (50, "resuming"), (0, "paused")):
        body = send(mine, "patch", there, {"share": share, "why": "step"}).json()
        assert (body["share"], body["state"]) == (share, state)
    before = timezone.now()
    body = send(mine, "patch", there, {"until": "1d"}).json()
    assert body["until"] > (before + timedelta(hours=23)).isoformat()
    assert send(mine, "patch", there, {"until": None}).json()["until"] is None
    for wrong in ({"share": 11}, {"share": True}, {"share": "all"}, {"until": "x"}, {}, {"region": "apac"}):
        problem(send(mine, "patch", there, wrong), 422)
    assert send(mine, "patch", there, {"share": 100}).json()["state"] == "over"
    problem(send(mine, "patch", there, {"share": 10}), 409)
    problem(send(mine, "patch", there, {"until": "2h"}), 409)
    assert mine.get(there).json()["held"]["held"] == 0


def test_a_drill_pauses_nothing(world, mine):
    body = send(mine, "post", URL, {"everything": True, "drill": True}).json()
    assert (body["state"], mine.get(URL).json()["items"]) == ("drill", [])
    assert mine.get(f"{URL}/{body['id']}").json()["found"]["told"] == ["Alice"]


def test_the_lock_held_by_others_changes_nothing(world, mine, workspace):
    with workspace.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s, 0)", [pauses.Lock.EVERYTHING])
        said = problem(send(mine, "post", URL, {"everything": True, "reason": "x"}), 409)
    assert "Nothing was changed" in said["detail"]
    assert not Pause.objects.exists()


def test_only_those_who_may_and_only_where_the_token_reaches(world, bob, olga, token, api):
    pause = {"region": "emea/de", "reason": "x"}
    problem(send(api(token(bob, "see", "pause")), "post", URL, pause), 403)
    problem(send(api(token(olga, "see")), "post", URL, pause), 403)
    problem(send(api("nothing"), "post", URL, pause), 401)
    narrow = api(token(olga, "see", "pause", regions=["emea"]))
    problem(send(narrow, "post", URL, {"region": "amer", "reason": "x"}), 422)
    problem(send(narrow, "post", URL, {"everything": True, "reason": "x"}), 403)
    assert not Pause.objects.exists()
    other = pauses.set_pause(pauses.Section(agent=world.agent), reason="x", actor="cli")
    problem(narrow.get(f"{URL}/{other.pk}"), 404)
    problem(narrow.delete(f"{URL}/{other.pk}"), 404)
    assert send(narrow, "post", URL, pause).status_code == 201
    assert [one["words"] for one in narrow.get(URL).json()["items"]] == ["Germany"]
    (stays,) = narrow.get(f"{URL}/blast?region=emea/fr").json()["closed_already"]
    assert stays == {"section": None, "by": None, "words": "Some of it", "whole": False}
