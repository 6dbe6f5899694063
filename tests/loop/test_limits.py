"""What the gate takes from, and what it asks again because the moment or the recipient is another."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from agents.loop.act import Drain
from agents.loop.decide import decide
from agents.loop.hot import Hot
from agents.models import Action, Connection, Run
from agents.rules.canonical import identity_hash
from audit.models import Entry
from tests import making

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def hot():
    made = Hot()
    yield made
    made.close()


def drained(hot):
    asyncio.run(Drain(hot).run())
    return sorted(Action.objects.values_list("state", flat=True))


def furnished(alice, more, *, cost=None, clauses=None):
    play = making.play(making.sandbox())
    if cost is not None:
        play.steps[0]["cost"] = cost
        play.save()
    return making.agent(play, alice, policy={"clauses": clauses or making.ALONE["clauses"], **more})


def around_now(*, before=60, after=60):
    """Hours from `before` minutes ago to `after` minutes from now, in UTC."""
    now = datetime.now(UTC)
    return [f"{now + timedelta(minutes=minutes):%H:%M}" for minutes in (-before, after)]


def test_an_account_has_a_limit_of_its_own_a_day(hot, alice):
    furnished(alice, {"limits": {"account_daily": 2}})
    making.signals([{"account": account} for account in ("a.example",) * 5 + ("b.example",) * 2])
    assert drained(hot) == ["delivered"] * 4 + ["refused"] * 3
    assert set(Action.objects.filter(state="refused").values_list("account", "why")) == {
        ("a.example", "The limit of 2 actions a day for one account is reached.")
    }


def test_a_person_has_a_limit_of_their_own_a_day_and_nobody_has_none(hot, alice):
    furnished(alice, {"limits": {"person_daily": 1}})
    making.signals([{"email": email} for email in ("kim@example.com", "kim@example.com", "lee@example.com", "", "")])
    assert drained(hot) == ["delivered"] * 4 + ["refused"]


@pytest.mark.parametrize("span", ["daily", "monthly"])
def test_a_budget_is_spent_to_the_last_and_never_beyond(hot, alice, span):
    furnished(alice, {"budget": {span: 1}}, cost=0.3)
    making.signals([{} for _ in range(5)])
    assert drained(hot) == ["delivered"] * 3 + ["refused"] * 2
    (why,) = set(Action.objects.filter(state="refused").values_list("why", flat=True))
    assert why == f"The budget of 1 {'a day' if span == 'daily' else 'a month'} is spent."


def test_what_costs_nothing_takes_nothing_of_a_budget(hot, alice):
    furnished(alice, {"budget": {"daily": 0}})
    making.signals([{}])
    assert drained(hot) == ["delivered"]


def test_quiet_hours_put_it_off_until_they_are_over(hot, alice):
    quiet = [{"hours": around_now()}]
    furnished(alice, {"quiet_hours": quiet, "limits": {"hourly": 40}})
    making.signals([{} for _ in range(40)])
    assert drained(hot) == ["ready"] * 40
    action = Action.objects.first()
    until = datetime.now(UTC) + timedelta(minutes=60)
    assert abs(action.not_before - until) <= timedelta(minutes=1)
    assert action.why == f"Quiet hours where the recipient is, until {action.not_before:%a %H:%M} (UTC)."
    assert Entry.objects.filter(verb="action.delayed").count() == 40
    assert drained(hot) == ["ready"] * 40
    assert Entry.objects.filter(verb="action.delayed").count() == 40


def test_quiet_hours_are_those_of_the_recipients_own_time_zone(hot, alice):
    furnished(alice, {"quiet_hours": [{"hours": around_now()}]})
    making.signals([{"fields": {"time_zone": "Asia/Tokyo"}}, {"fields": {"time_zone": "Mars/Olympus"}}])
    assert drained(hot) == ["delivered", "ready"]


def test_what_asks_the_hour_is_asked_again_at_the_gate(hot, alice):
    clauses = [
        {"id": "a", "say": "alone"},
        {"id": "late", "say": "never", "hours": around_now(before=60, after=60)},
    ]
    furnished(alice, {}, clauses=clauses)
    making.signals([{}, {"fields": {"time_zone": "Asia/Tokyo"}}])
    decide(hot)
    run = Run.objects.get(verdict="alone")
    assert Run.objects.get(verdict="never").clause == "late"
    Run.objects.filter(pk=run.pk).update(facts={**run.facts, "zone": "UTC"})
    assert drained(hot) == ["refused"]
    assert Action.objects.get().why.startswith("At this moment: Never: any play, from ")


def test_a_person_on_a_clauses_list_is_known_by_whom_it_reaches(hot, alice):
    kim = identity_hash(settings.IDENTITY_KEY, "kim@example.com")
    clauses = [{"id": "a", "say": "alone"}, {"id": "vip", "say": "never", "people": [kim.hex()]}]
    furnished(alice, {}, clauses=clauses)
    making.signals([{}])
    decide(hot)
    Action.objects.update(contact=kim)
    assert drained(hot) == ["refused"]
    assert Action.objects.get().why.startswith("At this moment: Never: any play to a person on its list")


def test_an_expression_reads_what_the_signal_held(hot, alice):
    clauses = [{"id": "a", "say": "alone", "when": "fields.seats > 5 && value == null"}]
    furnished(alice, {}, clauses=clauses)
    making.signals([{"fields": {"seats": 6}}, {"fields": {"seats": 5}}, {"fields": {}}])
    assert drained(hot) == ["delivered"]


@pytest.mark.parametrize(("say", "state"), [("ask", "waiting"), ("never", "refused")])
def test_a_list_holds_for_whom_a_mail_is_written_to(hot, alice, say, state):
    boss = identity_hash(settings.IDENTITY_KEY, "boss@example.com")
    config = {"host": "127.0.0.1", "port": 9, "tls": "none", "from_address": "hello@example.com"}
    mail = Connection.objects.create(slug="mail", name="Mail", kind="email", config=config, allowed_hosts=["127.0.0.1"])
    payload = {"to": "boss@example.com", "subject": "Hello", "text": "Hello"}
    policy = {"clauses": [{"id": "a", "say": "alone"}, {"id": "vip", "say": say, "people": [boss.hex()]}]}
    making.agent(making.play(mail, payload=payload), alice, policy=policy)
    making.signals([{"email": "kim@example.com"}])
    decide(hot)
    assert Run.objects.get().clause == "a"
    action = Action.objects.get()
    assert (action.state, action.permitted_by, bytes(action.contact)) == (state, "clause:vip", boss)
