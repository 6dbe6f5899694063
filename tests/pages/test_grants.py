"""Grants: a verb holds where it was given, with all beneath, until its time is up; and everyone may see why."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import access
from agents.access.whom import effective, who_may
from agents.changes import grant as grants
from agents.changes.agent import change_agent, create_agent, hand_over
from agents.changes.person import change_person
from agents.models import Agent, Grant, Region, Segment
from agents.models.grant import VERBS
from approvals.models import Person, Role
from audit.models import Entry
from tests import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(person):
    return person("Ada", role="admin")


@pytest.fixture
def agent(alice):
    return making.agent(making.play(making.sandbox()), alice)


@pytest.fixture
def germany():
    making.region("apac")
    return making.region("emea/de")


def give(person, on, *verbs, by, **more):
    return grants.give(person, on=on, verbs=verbs, why=more.pop("why", "She covers it."), actor=by.actor, by=by, **more)


def anew(person):
    return Person.objects.get(pk=person.pk)


def test_a_role_that_does_not_hold_everywhere_holds_where_it_was_granted_and_beneath(person, ada, germany):
    rep, emea = person("Rita", role="rep", everywhere=False), Region.objects.get(code="emea")
    assert not access.may_somewhere(rep, access.APPROVE)
    give(rep, emea, "approve", by=ada)
    assert access.may(rep, access.APPROVE, germany)
    assert access.may(rep, access.SEE, germany)
    assert not access.may(rep, access.APPROVE, Region.objects.get(code="apac"))
    assert not access.may(rep, access.APPROVE)
    assert access.may_somewhere(rep, access.APPROVE)
    assert not access.may(rep, access.PAUSE, germany)


def test_a_grant_adds_a_verb_that_the_role_lacks(person, ada, germany):
    rep = person("Rita", role="rep")
    give(rep, germany, "pause", by=ada)
    assert access.may(rep, access.PAUSE, germany)
    assert not access.may(rep, access.PAUSE, Region.objects.get(code="emea"))
    assert not access.may(rep, access.PAUSE)
    assert access.may(rep, access.APPROVE, Region.objects.get(code="apac"))


def test_an_expired_grant_stops_at_once(person, ada, germany):
    rep = person("Rita", role="rep", everywhere=False)
    give(rep, germany, "approve", by=ada, expires_at=timezone.now() + timedelta(hours=1))
    assert access.may(anew(rep), access.APPROVE, germany)
    Grant.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert not access.may(anew(rep), access.APPROVE, germany)
    assert not access.visible(anew(rep), Region.objects.all()).exists()


def test_unassigned_is_granted_like_any_other(person, ada, germany):
    rep = person("Rita", role="rep", everywhere=False)
    unknown = Region.objects.get(code="unassigned")
    give(rep, unknown, "see", by=ada)
    assert list(access.visible(rep, Region.objects.all())) == [unknown]


def test_owners_and_deputies_reach_their_agents_without_a_grant(person, agent, ada):
    deputy = person("Dora", role="owner", everywhere=False)
    assert not access.may(deputy, access.PAUSE, agent)
    Agent.objects.filter(pk=agent.pk).update(deputy=deputy)
    agent.refresh_from_db()
    assert all(access.may(anew(deputy), verb, agent) for verb in ("see", "pause", "build", "publish", "take"))


def test_an_auditor_reads_and_changes_nothing_whatever_is_granted(person, agent, ada):
    eve = person("Eve", role="rep")
    give(eve, agent, "see", "pause", "publish", by=ada)
    Person.objects.filter(pk=eve.pk).update(role=Role.AUDITOR, everywhere=False)
    eve = anew(eve)
    assert access.may(eve, access.SEE, agent)
    assert not any(access.may(eve, verb, agent) for verb in VERBS["agent"] if verb != "see")
    with pytest.raises(ValidationError, match="auditor"):
        give(eve, agent, "pause", by=ada)


@pytest.mark.parametrize(
    ("verbs", "more", "field"),
    [
        ([], {}, "verbs"), (["build"], {}, "verbs"), (["fly"], {}, "verbs"), (["see"], {"why": " "}, "why"),
        (["see"], {"expires_at": timezone.now() - timedelta(days=1)}, "expires_at"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_granted(person, ada, germany, verbs, more, field):
    with pytest.raises(ValidationError) as refused:
        give(person("Rita"), germany, *verbs, by=ada, **more)
    assert list(refused.value.message_dict) == [field]
    assert not Grant.objects.exists()
    assert not Entry.objects.filter(verb="grant.given").exists()


def test_nobody_grants_to_themselves(ada, germany):
    with pytest.raises(ValidationError, match="another admin"):
        give(ada, germany, "pause", by=ada)


def test_reach_costs_one_statement_a_person_and_none_for_those_whose_role_holds_everywhere(person, ada, agent, germany):
    rep, ops = person("Rita", role="rep", everywhere=False), person("Omar", role="ops")
    give(rep, germany, "approve", "see", by=ada)
    give(rep, agent, "see", by=ada)
    rep = anew(rep)
    with CaptureQueriesContext(database) as asked:
        for verb in VERBS["agent"]:
            access.may(rep, verb, germany)
            access.may(ops, verb, germany)
            access.reach(rep, verb)
    assert len(asked) == 1


def test_who_may_and_may_agree_for_everyone_on_everything(person, ada, agent, germany, rng):
    making.segment("enterprise/eu")
    other = making.agent(making.play(making.sandbox("box"), "other"), person("Otto", role="owner"), "other")
    things = [agent, other, *Region.objects.all(), *Segment.objects.all()]
    for n in range(12):
        one = person(f"P{n}", role=rng.choice(Role.values), everywhere=rng.random() < 0.4)
        for thing in rng.sample(things, 3):
            verbs = rng.sample(VERBS[type(thing).__name__.lower()], 2)
            until = rng.choice([None, timezone.now() + timedelta(hours=1)])
            if one.role != Role.AUDITOR:
                give(one, thing, *verbs, by=ada, expires_at=until)
    Grant.objects.filter(pk__in=rng.sample(list(Grant.objects.values_list("pk", flat=True)), 5)).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    for thing in things:
        for verb in VERBS[type(thing).__name__.lower()]:
            told = who_may(verb, thing)
            assert {one for one, _ in told} == {p for p in Person.objects.all() if access.may(p, verb, thing)}
            assert all(because for _, because in told), (verb, thing)


def test_a_grant_is_given_changed_and_taken_back_on_the_persons_page(client, person, ada, germany):
    rita = person("Rita", role="rep", everywhere=False)
    client.force_login(ada)
    page = client.get(f"/people/{rita.pk}").content.decode()
    assert "Nothing: their role holds only where it is granted" in page
    form = {"on": "region:emea/de", "verbs": ["see", "approve"], "until": "7d", "why": "Holidays"}
    assert client.post(f"/people/{rita.pk}/grant", form)["Location"] == f"/people/{rita.pk}#access"
    assert "Holidays" in client.get(f"/people/{rita.pk}").content.decode()
    assert access.may(anew(rita), access.APPROVE, germany)
    prefilled = client.get(f"/people/{rita.pk}/grant?on=region:emea/de").content.decode()
    assert "Holidays" in prefilled
    assert timezone.localtime().strftime("%Y-") in prefilled
    client.post(f"/people/{rita.pk}/grant", {**form, "verbs": ["see"], "until": ""})
    assert not access.may(anew(rita), access.APPROVE, germany)
    assert Grant.objects.get().expires_at is None
    client.post(f"/people/{rita.pk}/grant/end", {"on": "region:emea/de"})
    assert not Grant.objects.exists()
    assert list(Entry.objects.filter(verb__startswith="grant.").order_by("id").values_list("verb", "region")) == [
        ("grant.given", "emea/de"), ("grant.given", "emea/de"), ("grant.ended", "emea/de"),
    ]  # fmt: skip


def test_who_can_pause_emea_is_two_clicks_away_with_because(client, person, ada, germany):
    rita, emea = person("Rita", role="rep"), Region.objects.get(code="emea")
    give(rita, emea, "pause", by=ada, why="Covers for Omar", expires_at=timezone.now() + timedelta(days=3))
    client.force_login(person("Omar", role="ops"))
    assert "/who?on=region:emea" in client.get("/scopes/regions/emea").content.decode()
    page = client.get("/who?on=region:emea/de&may=pause").content.decode()
    assert all(text in page for text in ("Rita", "which lies above", "Covers for Omar", "by", "Ada"))
    assert "Ops manager, everywhere" in page
    assert "Bob" not in page
    assert client.get("/who?on=region:nowhere").status_code == 404
    client.force_login(person("Narrow", role="ops", everywhere=False))
    assert client.get("/who?on=region:emea").status_code == 403


def test_only_admins_grant(client, person, ada, germany):
    rita = person("Rita", role="rep")
    for role in set(Role.values) - {"admin"}:
        client.force_login(person(f"By {role}", role=role))
        assert client.get(f"/people/{rita.pk}/grant").status_code == 403
        assert client.post(f"/people/{rita.pk}/grant", {}).status_code == 403
        assert client.post(f"/people/{rita.pk}/grant/end", {"on": "region:emea"}).status_code == 403
    client.force_login(ada)
    assert (
        client.post(f"/people/{ada.pk}/grant", {"on": "region:emea", "verbs": ["see"], "why": "me"}).status_code == 422
    )


def test_effective_access_names_role_agents_and_grants(person, ada, agent, germany, alice):
    give(alice, germany, "resend", by=ada)
    found = effective(alice)
    assert found.everywhere == ["see", "approve", "pause"]
    assert found.own == ["resend", "take", "build", "publish"]
    assert found.agents == [agent]
    assert [one.verbs for one in found.granted] == [("resend",)]
    Person.objects.filter(pk=alice.pk).update(everywhere=False)
    assert effective(anew(alice)).everywhere == []


def test_only_who_can_pause_and_publish_may_answer_for_an_agent(person, ada, agent):
    rita, olga = person("Rita", role="rep"), person("Olga", role="ops")
    for refused in (
        lambda: create_agent(actor=ada.actor, name="New", job="One job.", owner=rita),
        lambda: create_agent(actor=ada.actor, name="New", job="One job.", owner=olga, deputy=rita),
        lambda: change_agent(agent, actor=ada.actor, deputy=rita),
        lambda: hand_over(agent, actor=ada.actor, owner=rita, why="She asked."),
    ):
        with pytest.raises(ValidationError, match="can't pause and publish"):
            refused()
    hand_over(agent, actor=ada.actor, owner=olga, why="She is here.")
    with pytest.raises(ValidationError, match="hand over first"):
        change_person(olga, actor=ada.actor, role="rep")
