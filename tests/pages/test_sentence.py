"""The accountability sentence, for every state in which a run can be."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.utils import timezone

from agents.models import Action, Agent, Connection, Play, Policy, Run, Signal
from agents.models.action import State
from agents.sentence import HEADLINES, sentence
from approvals.models import Approval, Person

AT = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
ASKED = UUID(int=9)
MAIL = Connection(slug="mail", name="Mail relay", kind="email")
BEN = Person(name="Ben Okafor")
SIGNAL = Signal(type="pricing_visit", account="acme.com", account_name="Acme", person="Kim Lind", email="kim@acme.com")
REASONS = [
    {"label": "Size", "weight": 20, "outcome": "matched"},
    {"label": "Pricing visit", "weight": 40, "outcome": "matched"},
    {"label": "Industry", "weight": 30, "outcome": "not_matched"},
    {"label": "Earlier on this account", "weight": 0, "outcome": "matched"},
]


@pytest.fixture(autouse=True)
def _utc():
    with timezone.override(UTC):
        yield


def run(verdict="alone", clause="c2", why="Alone: demo-follow-up", *, owner="Ana Costa", play="Demo follow-up", **more):
    agent = Agent(name="Inbound intent", owner=Person(name=owner) if owner else None)
    return Run(
        agent=agent, play=Play(name=play) if play else None, policy=Policy(version=3, spec={}), account="acme.com",
        score=82, reasons=REASONS, verdict=verdict, clause=clause, why=why, **more,
    )  # fmt: skip


def action(state, why="", **more):
    return Action(
        state=state, why=why, step="mail", connection=MAIL, settled_at=AT, created_at=AT,
        approval_id=more.pop("approval_id", None), **more,
    )  # fmt: skip


def asked(state, **more):
    decided = {"decided_by": BEN, "decided_at": AT} if state in ("approved", "rejected") else {}
    return {ASKED: Approval(id=ASKED, state=state, expires_at=AT, **decided, **more)}


SENT = "Demo follow-up by e-mail to Kim Lind at Acme"
WHY = "because score 82 (Pricing visit, Size), under policy version 3"
ALONE, ASK = f"{WHY}, clause c2 (acts alone)", f"{WHY}, clause c2 (asks)"
WHO = "Ana Costa is accountable: Inbound intent"


@pytest.mark.parametrize(
    ("state", "why", "says"),
    [
        ("delivered", "", f"{WHO} sent {SENT} on 3 Nov 2026 10:00, {ALONE}; nobody was asked."),
        ("ready", "", f"{WHO} is about to send {SENT}, {ALONE}; nobody was asked."),
        ("sending", "", f"{WHO} is sending {SENT}, {ALONE}; nobody was asked."),
        ("held", "pause:7", f"{WHO} is held back by a pause from sending {SENT}, {ALONE}; nobody was asked."),
        (
            "failed",
            "422 no such list.",
            f"{WHO} tried to send {SENT} and failed (422 no such list), {ALONE}; nobody was asked.",
        ),
        (
            "unknown",
            "It timed out.",
            f"{WHO} may have sent {SENT}, nobody knows whether it arrived (It timed out), {ALONE}; nobody was asked.",
        ),
        (
            "refused",
            "The contact lock holds.",
            f"{WHO} was refused at the gate when it was to send {SENT} (The contact lock holds), {ALONE}; "
            "nobody was asked.",
        ),
        (
            "withdrawn",
            "Sent again.",
            f"{WHO} was to send {SENT}, which was withdrawn (Sent again), {ALONE}; nobody was asked.",
        ),
        ("shadow", "", f"{WHO} would have sent {SENT}, but it is in shadow and sent nothing, {ALONE}."),
    ],
)
def test_what_it_did_alone(state, why, says):
    assert sentence(run(), SIGNAL, [action(state, why)]) == says


@pytest.mark.parametrize(
    ("state", "verdict", "says"),
    [
        (
            "waiting",
            "waiting",
            f"{WHO} wants to send {SENT}, {ASK}; nobody has said yes yet, and the question expires on "
            "3 Nov 2026 10:00.",
        ),
        (
            "delivered",
            "approved",
            f"{WHO} sent {SENT} on 3 Nov 2026 10:00, {ASK}; Ben Okafor said yes on 3 Nov 2026 10:00.",
        ),
        (
            "rejected",
            "rejected",
            f"{WHO} asked to send {SENT}, {ASK}; Ben Okafor said no on 3 Nov 2026 10:00 (wrong person), so nothing "
            "was sent.",
        ),
        ("expired", "expired", f"{WHO} asked to send {SENT}, {ASK}; nobody answered in time, so nothing was sent."),
    ],
)
def test_who_said_yes(state, verdict, says):
    approvals = asked(verdict, reason="wrong-person" if verdict == "rejected" else "")
    assert sentence(run("ask"), SIGNAL, [action(state, approval_id=ASKED)], approvals) == says


def test_why_nothing_was_done():
    none = run("none", "", "No play: score 12 is below the threshold 30", play=None)
    assert sentence(none, SIGNAL, []) == (
        f"{WHO} did nothing about “pricing_visit” from Kim Lind at Acme, because score 12 is below the threshold 30, "
        "under policy version 3."
    )
    never = run("never", "c4", "Never: Demo follow-up in apac (nobody is awake)")
    assert sentence(never, SIGNAL, []) == (
        f"{WHO} did not send Demo follow-up to Kim Lind at Acme after “pricing_visit” from Kim Lind at Acme, because "
        "Demo follow-up in apac (nobody is awake), under policy version 3, clause c4 (never)."
    )
    unsaid = run("never", "default", "Never: no clause allows it")
    assert sentence(unsaid, SIGNAL, []).endswith("under policy version 3, in which no clause allows it.")


def test_an_agent_that_nobody_owns_is_said_so_and_a_lost_signal_leaves_the_account():
    says = sentence(run(owner=None), None, [action("delivered")])
    assert says.startswith(
        "Nobody is accountable, for the agent has no owner: Inbound intent sent Demo follow-up by e-mail to acme.com on"
    )


def test_several_steps_tell_the_worst_first_and_count_the_rest():
    says = sentence(run(), SIGNAL, [action("delivered"), action("failed", "no"), action("delivered")])
    assert "tried to send" in says
    assert says.endswith(" Of its 3 steps: 2 delivered, 1 failed.")


def test_what_was_sent_again_counts_as_it_stands_now():
    says = sentence(run(), SIGNAL, [action("withdrawn", "Sent again."), action("delivered")])
    assert "sent Demo follow-up" in says
    assert "withdrawn" not in says


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("delivered", " It was taken back on 3 Nov 2026 10:00."),
        ("ready", " It is being taken back."),
        ("held", " It is to be taken back, which a pause holds."),
        ("failed", " Taking it back did not work (no)."),
    ],
)
def test_what_was_taken_back(state, says):
    back = action(state, "no" if state == "failed" else "", undo_of=UUID(int=1))
    assert sentence(run(), SIGNAL, [action("delivered"), back]).endswith(f"nobody was asked.{says}")


def test_every_state_has_its_words():
    assert set(HEADLINES) == set(State)
