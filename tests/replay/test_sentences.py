"""The Run page alone answers, of runs of every kind: who is accountable, what, to whom, why, under which clause and
version, who said yes, and what came of it. Of made-up sessions, or with `--hostile=full` of all the real ones."""

import html
import re
from collections import Counter
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import again, pauses, questions
from agents.changes.agent import hand_over, set_stage
from agents.changes.policy import publish_policy
from agents.models import Action, Agent, Region, Run
from agents.sentence import sentences
from agents.tasks import sweep
from approvals.models import Approval, Edit, Person
from bench.shoppers.shop import ACTOR, RESCUE_POLICY, address
from tests.hostile.receiver import accept
from tests.replay.conftest import sessions
from tests.running import until

SAMPLE = 20
UNWILLING = 10
"""Of so many sessions one visitor has asked not to be written to."""
READ_FIRST = {
    "id": "read-first", "say": "ask", "plays": ["reminder"], "regions": ["shop/5"], "editable": ["subject", "text"],
}  # fmt: skip
FACTS = """
SELECT r.verdict, r.clause, p.version AS policy, r.score, r.account, s.account_name, s.person, s.email, g.name AS agent,
    r.brain, y.name AS play, a.state, a.play_version, a.target, c.kind, c.name AS connection, a.why, w.state AS asked,
    w.reason, d.name AS decided_by,
    (SELECT v.name FROM approvals_edit e JOIN approvals_person v ON v.id = e.person_id
     WHERE e.approval_id = w.id) AS edited,
    (SELECT string_agg(v.name, ',' ORDER BY n.id) FROM approvals_verdict n JOIN approvals_person v ON v.id = n.person_id
     WHERE n.approval_id = w.id AND n.said = 'yes' AND n.voided_at IS NULL) AS yes,
    (SELECT string_agg(o.kind, ',' ORDER BY o.id) FROM agents_outcome o WHERE o.run_id = r.id) AS outcomes
FROM agents_run r JOIN agents_agent g ON g.id = r.agent_id JOIN agents_policy p ON p.id = r.policy_id
JOIN agents_signal s ON s.id = r.signal_id LEFT JOIN agents_play y ON y.id = r.play_id
LEFT JOIN agents_action a ON a.run_id = r.id AND a.undo_of IS NULL AND a.state <> 'withdrawn'
LEFT JOIN agents_connection c ON c.id = a.connection_id LEFT JOIN approvals_approval w ON w.id = a.approval_id
LEFT JOIN approvals_person d ON d.id = w.decided_by_id WHERE r.id = %s
"""
OPEN = ("waiting", "ready", "held", "sending", "unknown")
DID = {
    "delivered": " sent ", "ready": " is about to send ", "held": " is held back from sending ",
    "waiting": " has wanted to send ", "failed": " tried to send ", "unknown": " may have sent ",
    "refused": " was refused at the gate ", "rejected": " asked on ", "expired": " asked on ", "shadow": " would have ",
}  # fmt: skip


def test_runs_taken_at_random_are_answered_for_by_their_page_alone(build, worker, file, tmp_path, rng):
    size = len(file.read_text().splitlines()) - 1
    unwilling = [address(f"{file.name}#{line}") for line in range(2, size + 2, UNWILLING)]
    shop = build(*unwilling)
    mira, jon = (Person.objects.get(name=name) for name in ("Mira Holt", "Jon Reyes"))
    rescue, clauses = Agent.objects.get(slug="basket-rescue"), RESCUE_POLICY["clauses"]
    spec = {**RESCUE_POLICY, "clauses": [*clauses[:-1], READ_FIRST, clauses[-1]]}
    publish_policy(rescue, actor=ACTOR, spec=spec, reason="Region 5 reads it first.", person=mira)
    worker(queues="loop,sweep,paging", concurrency=2)
    report = shop.replay(file, "--source", "shop", "--outcome", "Revenue=TRUE")
    assert sum(report["runs"].values()) == 2 * size
    _happen(shop, tmp_path, rng, jon, unwilling)

    chosen = _chosen(rng)
    with CaptureQueriesContext(connection) as queries:
        said = sentences([pk for pk, _ in chosen])
    assert len(queries) <= 15, "however many runs there are"
    client = Client()
    client.force_login(jon)
    for pk, kind in chosen:
        page = client.get(f"/runs/{pk}").content.decode()
        shown = html.unescape(re.search(r'id="sentence">(.*?)</p>', page, re.S)[1])
        assert shown == said[pk]
        faults = list(_unanswered(shown, _facts(pk), mira, jon))
        assert not faults, (kind, pk, faults, shown)


def _happen(shop, tmp_path, rng, jon, unwilling):
    """What a replay alone does not do: answers of every sort, a far side that refuses, a pause, a shadow, an owner who
    hands over."""
    admin = Person.objects.create(email="admin@shop.example", name="Ada Moss", role="admin")
    waiting = list(Approval.objects.filter(state="waiting").order_by("id"))
    assert len(waiting) >= 12, "the file has sessions that are asked about"
    call, words = _let_go(waiting, unwilling)
    _fails(shop, call, admin)
    fields = {"subject": "Still looking, or found it?"}
    questions.edit_and_approve(words.pk, person=admin, binding=bytes(words.binding), fields=fields)
    waiting = [one for one in waiting if one not in (call, words)]
    for approval in waiting[:3]:
        questions.approve(approval.pk, person=admin, binding=bytes(approval.binding))
    for approval in waiting[3:6]:
        questions.reject(approval.pk, person=admin, binding=bytes(approval.binding), reason="wrong-person")
    past = timezone.now() - timedelta(hours=1)
    Approval.objects.filter(pk=waiting[6].pk).update(expires_at=past, opened_at=past - timedelta(hours=8))
    questions.expire_due(actor="worker:watchdog")
    sent = Action.objects.filter(state="delivered")
    Action.objects.filter(pk=sent.latest("id").pk).update(state="unknown", why="It timed out.")
    refused = Action.objects.filter(state="refused", why__contains="lock").first()
    if refused is not None:
        again.send_again([refused.pk], person=admin)
    club = Agent.objects.get(slug="weekend-club")
    set_stage(club, actor=admin.actor, stage="shadow", why="A look at what it would do")
    until(
        lambda: _woken() and not Action.objects.filter(state__in=("ready", "sending")).exists(), seconds=60, what="rest"
    )
    pauses.set_pause(
        pauses.Section(region=Region.objects.get(code="shop")), reason="Stock-taking", actor=admin.actor, person=admin
    )
    more = sessions(tmp_path / "more.csv", rng, size=120)
    shop.replay(more, "--source", "shop", "--patience", "3")
    hand_over(Agent.objects.get(slug="basket-rescue"), actor=admin.actor, owner=jon, why="Mira moves on")


def _let_go(waiting, unwilling):
    """A question about a call, and one whose words may be edited, of visitors for whom nothing else stops either."""
    busy = Counter(Action.objects.values_list("run__account", flat=True))
    free = {}
    for action in Action.objects.filter(state="waiting").select_related("run", "connection"):
        if busy[action.run.account] == 1 and address(action.run.account) not in unwilling:
            free[action.approval_id] = action.connection.kind
    call = next(one for one in waiting if free.get(one.pk) == "http")
    words = next(one for one in waiting if one.pk in free and one.question["clause"] == "read-first")
    return call, words


def _fails(shop, approval, person):
    """A yes to a call that the far side then refuses."""

    async def refuse(visit):
        visit.answer("422 Unprocessable Content")

    shop.receiver.behave = refuse
    questions.approve(approval.pk, person=person, binding=bytes(approval.binding))
    until(lambda: _woken() and Action.objects.filter(state="failed").exists(), seconds=60, what="one that fails")
    shop.receiver.behave = accept


def _woken() -> bool:
    sweep.delay()
    return True


def _chosen(rng):
    """SAMPLE runs at random, and one of every kind there is."""
    kinds: dict[tuple, set] = {}
    columns = ("verdict", "actions__state", "actions__connection__kind", "actions__approval__state")
    edited = set(Edit.objects.values_list("approval", flat=True))
    for pk, asked, *kind in Run.objects.values_list("pk", "actions__approval", *columns):
        kinds.setdefault((*kind, asked in edited), set()).add(pk)
    verdicts, states, _, answers, _ = map(set, zip(*kinds, strict=True))
    assert verdicts == {"alone", "ask", "never", "none"}
    assert states >= {"delivered", "failed", "refused", "waiting", "rejected", "expired", "unknown", "shadow", "held"}
    assert answers >= {None, "waiting", "approved", "rejected", "expired"}
    assert {("alone", "delivered", kind, None, False) for kind in ("http", "email")} <= kinds.keys()
    assert ("ask", "delivered", "email", "approved", True) in kinds
    every = sorted(((pk, kind) for kind, pks in kinds.items() for pk in pks), key=str)
    some = rng.sample(every, SAMPLE) + [(rng.choice(sorted(kinds[kind])), kind) for kind in sorted(kinds, key=str)]
    return list(dict(some).items())


def _facts(pk):
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [pk])
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return rows[0]


def _unanswered(shown, of, mira, jon):
    """Each of the seven questions that the sentence leaves open, or answers otherwise than the rows do."""

    def want(question, text):
        if text not in shown:
            yield f"{question}: {text!r}"

    changed = of["agent"] == "Basket rescue"
    now = jon if changed else mira
    whoever = f"{now.name} is accountable"
    if changed and of["state"] not in OPEN:
        whoever = f"{mira.name} was accountable ({jon.name} is now)"
    yield from want("who is accountable", f"{whoever}: {of['agent']} ")
    if of["state"] is None:
        yield from want("what", "did nothing" if of["play"] is None else f"did not send {of['play']}")
    else:
        yield from want("what", DID[of["state"]])
        channel = "by e-mail" if of["kind"] == "email" else f"through {of['connection']}"
        yield from want("what", f"{of['play']} version {of['play_version']} {channel} to ")
    yield from want("to whom", f"{of['person'] or of['email']} at {of['account_name'] or of['account']}")
    brain, _, version = of["brain"].partition("@")
    yield from want("why", f"{brain} version {version} scored it {of['score']}")
    yield from want("under which version", f"under policy version {of['policy']}")
    own = {"unassigned": "unassigned", "": "no clause of which was needed", "default": "no clause allows it"}
    yield from want("under which clause", own.get(of["clause"], f"clause {of['clause']} ("))
    yield from want("who said yes", _answer(of))
    for kind in (of["outcomes"] or "").split(","):
        if kind:
            yield from want("what came of it", f"{kind.capitalize()} worth 1 was reported on ")
    if of["state"] == "delivered" and not of["outcomes"]:
        yield from want("what came of it", "No outcome has been reported yet.")


def _answer(of):
    if of["asked"] is None:
        return "nobody was asked"
    return {
        "approved": f"{of['edited']} changed subject on " if of["edited"] else f"{of['yes']} said yes on ",
        "rejected": f"{of['decided_by']} said no on ",
        "waiting": "nobody has said yes yet",
        "expired": "nobody answered until ",
    }[of["asked"]]
