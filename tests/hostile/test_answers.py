"""HOSTILE 20, 21, 22: who may answer, that what was answered is what leaves, that only a signed-in POST decides."""

import threading
from collections import Counter
from contextlib import suppress

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connections, transaction
from django.test import Client
from django.utils import timezone

from agents import questions
from agents.changes.policy import publish_policy
from agents.loop.gate import gate
from agents.loop.hot import Hot, hot
from agents.models import Action, Agent, Attempt, Connection, Play, Policy
from agents.rules.canonical import canonical_bytes, payload_hash
from approvals.models import Approval, Person, Verdict
from tests.deciding import action_of, furnish, run_loop
from tests.hostile.crawl import routes

AT_ONCE = 50
PAST = "2026-01-01T00:00+00:00"
ASK = {"id": "mails-ask", "say": "ask", "editable": ["subject"]}


@pytest.fixture
def world(alice, workspace):
    return furnish(alice, spec={"clauses": [ASK]})


def asked(world, count):
    """So many questions, each about an account of its own."""
    before = set(Approval.objects.values_list("pk", flat=True))
    for number in range(count):
        world.signal(f"Jo {number}", account=f"account-{len(before) + number}.example")
    run_loop()
    return list(Approval.objects.exclude(pk__in=before).order_by("pk"))


def yes(one, person):
    return questions.approve(one.pk, person=person, binding=bytes(one.binding))


def publish(number, by=None):
    """A version of the same boundaries, which whoever made it has edited."""
    actor = by.actor if by else "person:1"
    clause = {**ASK, "note": f"version {number}"}
    publish_policy(Agent.objects.get(), actor=actor, person=by, reason="x", spec={"clauses": [clause]})


def together(calls):
    """Make every call in a thread of its own, all let go at one moment; what each came to."""
    ready, out = threading.Barrier(len(calls)), []

    def run(call):
        try:
            ready.wait()
            call()
            out.append("accepted")
        except (questions.Stale, PermissionDenied, ValidationError) as refused:
            out.append(type(refused).__name__)
        except Exception as error:
            out.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(out)


def sent():
    """How many passed the gate so far, everything that may go having been tried."""
    Action.objects.filter(state__in=("ready", "held")).update(not_before=PAST)
    gating()
    return Attempt.objects.count()


def gating():
    one = Hot()
    try:
        with suppress(psycopg.errors.LockNotAvailable):
            while gate(one):
                pass
    finally:
        one.close()


def test_at_high_risk_no_builder_editor_or_one_person_twice_is_accepted(world, person, bob, hostile, rng):
    """HOSTILE 20, first half."""
    Play.objects.update(risk="high")
    rounds, accepted, refused = hostile.of(100), 0, Counter()
    barred = {
        "built it": lambda: Agent.objects.update(built_by=bob),
        "edited the agent": lambda: Agent.objects.update(edited_by=bob),
        "edited the play": lambda: Play.objects.update(edited_by=bob),
    }
    for number in range(rounds):
        Agent.objects.update(built_by=None, edited_by=None)
        Play.objects.update(edited_by=None)
        publish(number)
        (one,) = asked(world, 1)
        name = rng.choice([*barred, "published", "edited it", "one person twice"])
        if name == "edited it":
            one = questions.edit_and_approve(
                one.pk, person=bob, binding=bytes(one.binding), fields={"subject": f"Word {number}"}
            )
            assert one.state == "waiting"
        elif name == "one person twice":
            one.needed = 2
            one.binding = rebound(one)
            one.save(update_fields=["needed", "binding"])
            yes(one, bob)
        elif name == "published":
            publish(-1 - number, by=bob)
            one.refresh_from_db()
        else:
            barred[name]()
        tries = together([lambda one=one: yes(one, bob)] * 3)
        accepted += tries["accepted"]
        refused[name] += sum(tries.values()) - tries["accepted"]
        one.refresh_from_db()
        assert (one.state, action_of(one).state) == ("waiting", "waiting")
        if name == "one person twice":
            with pytest.raises(IntegrityError), transaction.atomic():
                Verdict.objects.create(
                    approval=one, person=bob, said="yes", binding=one.binding, at=timezone.now(), took_ms=0
                )
    print(
        f"{rounds} questions of high risk, {sum(refused.values())} tries refused, {accepted} accepted: {dict(refused)}"
    )
    assert accepted == 0
    assert sent() == 0


def rebound(one):
    from agents.questions.edits import _bound
    from agents.registry import snapshot

    action = action_of(one)
    with hot.transaction() as cursor:
        now = snapshot(cursor)
    return _bound(one, action, now, bytes(action.payload_hash))


def test_of_fifty_at_once_exactly_one_verdict(world, person, hostile, rng):
    """HOSTILE 20, second half: yes, no, edits and bulk from different persons at one moment."""
    rounds = hostile.of(20, least=2)
    people = [person(f"Rep {number}") for number in range(AT_ONCE)]
    for one in asked(world, rounds):
        ways = {
            "yes": lambda each, one=one: yes(one, each),
            "no": lambda each, one=one: questions.reject(
                one.pk, person=each, binding=bytes(one.binding), reason="other"
            ),
            "edit": lambda each, one=one: questions.edit_and_approve(
                one.pk, person=each, binding=bytes(one.binding), fields={"subject": f"By {each.name}"}
            ),
        }
        chosen = [ways[rng.choice(list(ways))] for _ in people]
        came_of = together([lambda each=each, way=way: way(each) for each, way in zip(people, chosen, strict=True)])
        assert came_of == {"accepted": 1, "Stale": AT_ONCE - 1}
        assert Verdict.objects.filter(approval=one, voided_at=None).count() == 1
        one.refresh_from_db()
        assert (one.state, action_of(one).state) in {("approved", "ready"), ("rejected", "rejected")}
    print(f"{rounds} questions, {AT_ONCE} answers at once to each: one verdict each")


def test_where_two_are_needed_fifty_at_once_give_two_verdicts(world, person, hostile):
    publish_policy(Agent.objects.get(), actor="person:1", reason="two", spec={"clauses": [{**ASK, "approvers": 2}]})
    people = [person(f"Rep {number}") for number in range(AT_ONCE // 2)]
    for one in asked(world, hostile.of(20, least=2)):
        came_of = together([lambda each=each, one=one: yes(one, each) for each in people * 2])
        assert came_of["accepted"] == 2
        said = Verdict.objects.filter(approval=one, voided_at=None).values_list("person", flat=True)
        assert len(set(said)) == 2
        assert action_of(one).state == "ready"


def tampered_payload(one, rng):
    action = action_of(one)
    payload = {**action.document, "subject": f"Forged {rng.random()}"}
    body, digest = canonical_bytes(payload), payload_hash(payload)
    Action.objects.filter(pk=action.pk).update(payload=body, **({"payload_hash": digest} if rng.random() < 0.5 else {}))


def changed_target(one, rng):
    Action.objects.filter(pk=action_of(one).pk).update(target=f"eve-{rng.random()}@evil.example")


def changed_connection(one, rng):
    Connection.objects.filter(slug="mail").update(
        config={"host": "127.0.0.1", "port": rng.randrange(2000, 60000), "tls": "none", "from_address": "x@y.example"}
    )


def changed_play(one, rng):
    Play.objects.update(version=Play.objects.get().version + 1)


def changed_policy(one, rng):
    clause = rng.choice([{**ASK, "note": str(rng.random())}, {"id": f"c{rng.randrange(10**9)}", "say": "ask"}])
    publish_policy(Agent.objects.get(), actor="person:1", reason="x", spec={"clauses": [clause]})


def policy_unheard_of(one, rng):
    """As when a worker decided and a person answered while the new version was being published."""
    agent = Agent.objects.get()
    last = Policy.objects.filter(agent=agent).first()
    clause = {**ASK, "note": str(rng.random())}
    agent.policy = Policy.objects.create(agent=agent, version=last.version + 1, spec={"clauses": [clause]}, reason="x")
    agent.save(update_fields=["policy"])


CHANGES = (tampered_payload, changed_target, changed_connection, changed_play, changed_policy, policy_unheard_of)


def test_what_changed_after_a_yes_is_not_sent(world, bob, hostile, rng):
    """HOSTILE 21: at any moment between the yes and the gate, and while gates race with it."""
    rounds, came_of = hostile.of(200), Counter()
    for _ in range(rounds):
        (one,) = asked(world, 1)
        yes(one, bob)
        change = rng.choice(CHANGES)
        change(one, rng)
        assert sent() == 0, change.__name__
        came_of[change.__name__, action_of(one).state] += 1
    print(f"{rounds} changed after the yes: 0 sent; {dict(came_of)}")
    (one,) = asked(world, 1)
    yes(one, bob)
    assert sent() == 1, "and one that nobody touched is sent"


def test_a_policy_published_while_gates_race_lets_no_old_yes_through(world, bob, hostile, rng):
    """What is sent passed the gate before the publication committed, under the version it was approved under."""
    for _ in range(hostile.of(20, least=2)):
        for one in asked(world, 5):
            yes(one, bob)
        Action.objects.filter(state="ready").update(not_before=PAST)
        first = Agent.objects.get().policy_id
        together([gating, lambda: changed_policy(None, rng), gating])
        gating()
        passed = Action.objects.exclude(attempt=None).filter(state="sending")
        assert {one.policy_id for one in passed} <= {first}
        Action.objects.filter(state="sending").update(state="delivered")


def test_a_grant_ended_after_the_yes_lets_nothing_through(world, person, hostile, rng):
    """HOSTILE 19, second half: closed, demoted, or no longer granted there."""
    rounds = hostile.of(50)
    ends = {
        "closed": {"is_active": False},
        "demoted": {"role": "auditor"},
        "narrowed": {"everywhere": False},
    }
    for number in range(rounds):
        rep = person(f"Rep {number}")
        (one,) = asked(world, 1)
        yes(one, rep)
        Person.objects.filter(pk=rep.pk).update(**ends[rng.choice(list(ends))])
        assert sent() == 0
        assert (action_of(one).state, "no longer may" in action_of(one).why) == ("refused", True)
    print(f"{rounds} yeses whose grant ended before the gate: 0 sent")


SCANNERS = (
    {},
    {"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; MailScanner)"},
    {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest", "HTTP_HX_REQUEST": "true"},
    {"HTTP_PURPOSE": "prefetch"},
)


def test_opening_a_mailed_link_decides_nothing(world, bob, hostile, rng):
    """HOSTILE 22: GET, HEAD and a scanner's POST, signed in or not, with and without what the form would post."""
    found = asked(world, hostile.of(100))
    signed_in = Client()
    signed_in.force_login(bob)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bob)
    answers = Counter()
    addresses = [text for each in routes() if (text := str(each.pattern)).startswith("inbox")]
    assert len(addresses) > 10
    for one in found:
        links = [f"/{address.replace('<uuid:pk>', str(one.pk))}" for address in addresses]
        form = {"binding": bytes(one.binding).hex(), "reason": "other", "pick": f"{one.pk}:{bytes(one.binding).hex()}"}
        for link in links:
            headers = rng.choice(SCANNERS)
            for client in (signed_in, Client(), strict):
                for method in (client.get, client.head):
                    answers[method(link, form if rng.random() < 0.5 else {}, **headers).status_code] += 1
            for data in ({}, form):
                answers[Client().post(link, data, **headers).status_code] += 1
                answers[strict.post(link, data, **headers).status_code] += 1
    print(f"{sum(answers.values())} requests on {len(found)} mailed links: {dict(answers)}")
    assert not [code for code in answers if code >= 500]
    assert set(Approval.objects.values_list("state", flat=True)) == {"waiting"}
    assert Verdict.objects.count() == 0
    assert set(Action.objects.values_list("state", flat=True)) == {"waiting"}
