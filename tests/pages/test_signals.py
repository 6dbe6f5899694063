"""Signals: found by what people ask for, shown whole, and dead letters mended or discarded."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.changes.source import set_mapping
from agents.models import DeadLetter, Region, Signal
from audit.models import Entry
from tests import making
from tests.pages.arriving import arrive, event, source

pytestmark = pytest.mark.django_db


@pytest.fixture
def eve(person):
    return person("Eve", role="engineer")


@pytest.fixture
def web(db):
    emea = Region.objects.create(code="emea", name="EMEA")
    Region.objects.create(code="emea/de", name="Germany", parent=emea)
    return source()


def test_are_found_by_account_type_state_region_and_source(client, charlie, web):
    other = source("billing")
    arrive(web, event(1, country="DE"), event(2, account="globex.example", type="trial.started"))
    arrive(other, event(1, type="trial.stalled"))
    Signal.objects.filter(type="trial.started").update(state="unheard")
    client.force_login(charlie)

    def found(query):
        return sorted(row.external_id + row.source.slug for row in client.get(f"/signals?{query}").context["rows"])

    assert found("") == ["evt-1billing", "evt-1website", "evt-2website"]
    assert found("account=globex.example") == ["evt-2website"]
    assert found("type=trial.*") == ["evt-1billing", "evt-2website"]
    assert found("state=unheard") == ["evt-2website"]
    assert found("region=emea") == ["evt-1website"]
    assert found("source=billing&period=hour") == ["evt-1billing"]
    assert client.get("/signals?region=emea").context["period"] == "week"


def test_a_signal_shows_its_payload_what_was_found_and_that_nobody_listens(client, charlie, web):
    arrive(web, event(1, person="Jo <b>Meyer</b>", plan="team"))
    Signal.objects.update(state="unheard")
    client.force_login(charlie)
    text = client.get(f"/signals/{Signal.objects.get().pk}").content.decode()
    assert "Nobody listens" in text
    assert "Jo &lt;b&gt;Meyer&lt;/b&gt;" in text
    assert "<b>Meyer" not in text
    assert "&quot;plan&quot;: &quot;team&quot;" in text


def test_many_cost_no_more_queries_than_few(client, charlie, web):
    arrive(web, *[event(n, account=f"account-{n}") for n in range(120)])
    client.force_login(charlie)
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/signals")
    assert len(queries) <= 12
    assert (len(page.context["rows"]), bool(page.context["rows"].older)) == (50, True)


class TestDeadLetters:
    @pytest.fixture(autouse=True)
    def letters(self, web):
        arrive(web, {"id": "a", "shop": "acme"}, {"id": "b"}, event(3), event(3, plan="other"))
        self.a, self.b, self.conflict = (DeadLetter.objects.get(external_id=id) for id in ("a", "b", "evt-3"))

    def test_say_why_and_of_which_kind(self, client, charlie):
        client.force_login(charlie)
        text = client.get("/signals/dead").content.decode()
        assert "map account to the field that names the customer" in text
        assert "received before with other content" in text
        rows = client.get("/signals/dead?kind=conflict").context["rows"]
        assert [row.pk for row in rows] == [self.conflict.pk]

    def test_are_replayed_by_the_mended_mapping_each_with_its_result(self, client, eve, web):
        set_mapping(web, mapping={"account": "shop"}, actor="cli")
        client.force_login(eve)
        answer = client.post("/signals/dead/close", {"do": "replay", "letter": [self.a.pk, self.b.pk]})
        assert answer.status_code == 303
        page = client.get(answer["Location"])
        assert [(one["id"], one["fate"]) for one in page.context["results"]] == [("a", "accepted"), ("b", "dead")]
        assert str(Signal.objects.get(external_id="a").pk) in page.content.decode()
        assert client.get("/signals/dead").context["results"] is None
        assert list(DeadLetter.objects.filter(state="open")) == [self.conflict, self.b]
        assert Entry.objects.get(verb="signal.replayed").actor == eve.actor

    def test_are_discarded_once(self, client, eve):
        client.force_login(eve)
        for says in ("1 discarded", "0 discarded"):
            client.post("/signals/dead/close", {"do": "discard", "letter": [self.b.pk]})
            assert says in client.get("/signals/dead").context["results"][0]["says"]
        assert Entry.objects.filter(verb="signal.discarded", actor=eve.actor).count() == 1

    def test_of_a_source_that_anothers_agent_hears_are_not_an_owners_to_close(self, client, person, alice):
        making.agent(making.play(making.sandbox()), alice)
        said = {"do": "discard", "letter": [self.b.pk]}
        for who, status in ((person("Zoe", role="owner"), 403), (alice, 303)):
            client.force_login(who)
            assert client.post("/signals/dead/close", said).status_code == status

    def test_nothing_ticked_is_said_and_a_rep_may_not(self, client, eve, bob):
        client.force_login(eve)
        assert client.post("/signals/dead/close", {"do": "replay"}).status_code == 422
        client.force_login(bob)
        answer = client.post("/signals/dead/close", {"do": "discard", "letter": [self.b.pk]})
        assert answer.status_code == 403
        assert DeadLetter.objects.filter(state="open").count() == 3
        assert "data-pick" not in client.get("/signals/dead").content.decode()
