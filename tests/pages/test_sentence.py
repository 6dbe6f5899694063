"""The accountability sentence, for every state in which a run can be."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.utils import timezone

from agents.accounted import Accounted, Handover
from agents.models import Action, Agent, Attempt, Connection, Outcome, Pause, Play, Policy, Region, Run, Signal
from agents.models.action import State
from agents.sentence import HEADLINES, sentence
from approvals.models import Approval, Edit, Person, Verdict
from audit.timeline import Row

AT = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
ASKED = UUID(int=9)
MAIL = Connection(slug="mail", name="Mail relay", kind="email")
ANA, BEN, EVE = Person(pk=1, name="Ana Costa"), Person(pk=2, name="Ben Okafor"), Person(pk=3, name="Eve Lund")
POLICY = Policy(id=30, version=3, spec={})
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


def run(verdict="alone", clause="c2", why="Alone: demo-follow-up", *, owner=ANA, play="Demo follow-up", **more):
    agent = Agent(name="Inbound intent", owner=owner)
    return Run(
        agent=agent, play=Play(name=play) if play else None, policy=POLICY, account="acme.com", score=82,
        reasons=REASONS, verdict=verdict, clause=clause, why=why, brain="scorecard@1", decided_at=AT, **more,
    )  # fmt: skip


def action(state, why="", **more):
    values = {
        "id": UUID(int=7), "state": state, "why": why, "step": "mail", "connection": MAIL, "settled_at": AT,
        "created_at": AT, "play": Play(name="Demo follow-up"), "play_version": 2, "policy": POLICY, "tries": 0,
        "target": "kim@acme.com", "permitted_by": "clause:c2", **more,
    }  # fmt: skip
    return Action(**values)


def asked(state, answers=(), **more):
    decided = {"decided_by": BEN, "decided_at": AT} if state in ("approved", "rejected") else {}
    question = {"policy": 3, "clause": "c2"}
    values = {"subject": "action:7", "needed": 1, "opened_at": AT, "expires_at": AT, "question": question, **more}
    one = Approval(id=ASKED, state=state, **decided, **values)
    return {"approvals": {ASKED: one}, "answers": {ASKED: list(answers)}}


def yes(person, at=AT):
    return Verdict(person=person, said="yes", at=at)


def say(run, signal=SIGNAL, actions=(), **more):
    return sentence(Accounted(run, signal, list(actions), **more))


SENT = "Demo follow-up version 2 by e-mail to Kim Lind at Acme"
WHY = "because scorecard version 1 scored it 82 (Pricing visit, Size), under policy version 3"
ALONE, ASK = f"{WHY}, clause c2 (acts alone)", f"{WHY}, clause c2 (asks)"
WHO = "Ana Costa is accountable: Inbound intent"
ON = "3 Nov 2026 10:00"
YET = "No outcome has been reported yet."


@pytest.mark.parametrize(
    ("state", "why", "says"),
    [
        ("delivered", "", f"{WHO} sent {SENT} on {ON}, {ALONE}; nobody was asked. {YET}"),
        ("ready", "", f"{WHO} is about to send {SENT}, {ALONE}; nobody was asked."),
        ("sending", "", f"{WHO} is sending {SENT}, {ALONE}; nobody was asked."),
        ("held", "pause:7", f"{WHO} is held back from sending {SENT} by a pause, {ALONE}; nobody was asked."),
        (
            "failed",
            "422 no such list.",
            f"{WHO} tried to send {SENT} on {ON} and failed (422 no such list), {ALONE}; nobody was asked.",
        ),
        (
            "unknown",
            "It timed out.",
            f"{WHO} may have sent {SENT}, nobody knows whether it arrived (It timed out), {ALONE}; nobody was asked.",
        ),
        (
            "refused",
            "The contact lock holds.",
            f"{WHO} was refused at the gate on {ON} when it was to send {SENT} (The contact lock holds), {ALONE}; "
            "nobody was asked.",
        ),
        (
            "withdrawn",
            "Sent again.",
            f"{WHO} was to send {SENT}, which was withdrawn (Sent again), {ALONE}; nobody was asked.",
        ),
        (
            "shadow",
            "",
            f"{WHO} would have sent {SENT} on {ON}, but it was in shadow and sent nothing, {ALONE}; nobody was asked.",
        ),
    ],
)
def test_what_it_did_alone(state, why, says):
    assert say(run(), actions=[action(state, why)]) == says


@pytest.mark.parametrize(
    ("state", "verdict", "answers", "says"),
    [
        (
            "waiting",
            "waiting",
            [],
            f"{WHO} has wanted to send {SENT} since {ON}, {ASK}; nobody has said yes yet, and the question expires on "
            f"{ON}.",
        ),
        ("delivered", "approved", [BEN], f"{WHO} sent {SENT} on {ON}, {ASK}; Ben Okafor said yes on {ON}. {YET}"),
        (
            "delivered",
            "approved",
            [EVE, BEN],
            f"{WHO} sent {SENT} on {ON}, {ASK}; Eve Lund on {ON} and Ben Okafor on {ON} said yes. {YET}",
        ),
        (
            "rejected",
            "rejected",
            [],
            f"{WHO} asked on {ON} to send {SENT}, {ASK}; Ben Okafor said no on {ON} (wrong person), so nothing "
            "was sent.",
        ),
        (
            "expired",
            "expired",
            [],
            f"{WHO} asked on {ON} to send {SENT}, {ASK}; nobody answered until {ON}, so nothing was sent.",
        ),
    ],
)
def test_who_said_yes(state, verdict, answers, says):
    about = asked(verdict, map(yes, answers), reason="wrong-person" if verdict == "rejected" else "")
    assert say(run("ask"), actions=[action(state, approval_id=ASKED)], **about) == says


def test_one_of_two_yeses_is_told_with_what_is_still_needed():
    about = asked("waiting", [yes(BEN)], needed=2)
    assert f"; Ben Okafor said yes on {ON}, 1 of 2 needed, and the question expires on {ON}." in say(
        run("ask"), actions=[action("waiting", approval_id=ASKED)], **about
    )


def test_a_yes_that_was_taken_back_is_no_mere_no():
    about = asked("rejected", reason="taken-back")
    says = say(run("ask"), actions=[action("rejected", approval_id=ASKED)], **about)
    assert f"; Ben Okafor said yes and took it back on {ON}, so nothing was sent." in says


def test_an_edit_and_a_stand_in_are_named():
    about = asked("approved", [yes(BEN)])
    edits = {ASKED: [Edit(person=EVE, at=AT, changes={"subject": ["Hi", "Hello"], "cc": [None, "x"]})]}
    handed = Row(
        UUID(int=1), AT, "action.escalated", "worker:watchdog", "action:7", "", None, "", "", "", "",
        {"to": "person:2", "as": "owner", "behalf": "person:1"}, 1,
    )  # fmt: skip
    says = say(
        run("ask"),
        actions=[action("delivered", approval_id=ASKED)],
        edits=edits,
        entries={"action:7": [handed]},
        people={"person:1": ANA},
        **about,
    )
    assert (
        f"; Eve Lund changed cc and subject on {ON}, then Ben Okafor (standing in for Ana Costa) said yes on {ON}."
        in says
    )


def test_whoever_changed_it_and_said_yes_is_named_once():
    edits = {ASKED: [Edit(person=BEN, at=AT, changes={"text": ["Hi", "Hello"]})]}
    edited = [action("delivered", approval_id=ASKED)]
    says = say(run("ask"), actions=edited, edits=edits, **asked("approved", [yes(BEN)]))
    assert f"; Ben Okafor changed text on {ON}, then said yes on {ON}." in says
    two = say(run("ask"), actions=edited, edits=edits, **asked("approved", [yes(BEN), yes(EVE)], needed=2))
    assert f"changed text on {ON}, then Ben Okafor on {ON} and Eve Lund on {ON} said yes." in two


def test_the_version_it_was_asked_about_under_is_told_where_the_boundaries_changed():
    about = asked("approved", [yes(BEN)], question={"policy": 4, "clause": "c9"})
    says = say(run("ask"), actions=[action("delivered", approval_id=ASKED)], **about)
    assert f"{ASK}; it was asked about under version 4, clause c9 (asks); Ben Okafor said yes" in says
    later = say(run(), actions=[action("delivered", policy=Policy(id=31, version=4, spec={}))])
    assert f"{ALONE}; it went by version 4; nobody was asked." in later


def test_whoever_was_accountable_then_is_told_beside_whoever_is_now():
    changed = [Handover(AT + timedelta(days=1), EVE, BEN), Handover(AT + timedelta(days=2), BEN, ANA)]
    says = say(run(), actions=[action("delivered")], handovers=changed)
    assert says.startswith("Eve Lund was accountable (Ana Costa is now): Inbound intent sent")
    still_open = say(run(), actions=[action("ready")], handovers=changed)
    assert still_open.startswith("Ana Costa is accountable: Inbound intent is about to")
    orphan = say(run(owner=None), actions=[action("delivered")], handovers=[Handover(AT + timedelta(1), None, None)])
    assert orphan.startswith("Nobody is accountable, for the agent has no owner: ")


def test_what_came_of_it():
    def outcome(**more):
        values = {"kind": "revenue", "value": Decimal("120.50"), "acted": True, "received_at": AT, **more}
        return Outcome(**values)

    tried = {UUID(int=7): [Attempt(status=500), Attempt(status=202)]}
    sent = [action("delivered", tries=2)]
    says = say(run(), actions=sent, attempts=tried, outcomes=[outcome(), outcome(kind="reply", acted=False)])
    queued = say(run(), actions=[action("delivered", "250 queued")], attempts={UUID(int=7): [Attempt(status=250)]})
    assert queued.endswith(f"nobody was asked. The answer was “250 queued”. {YET}")
    assert says.endswith(
        f"nobody was asked. The answer was 202, after 2 attempts. Revenue worth 120.5 was reported on {ON}. "
        f"Reply worth 120.5 was reported on {ON}, before anything was delivered."
    )
    failed = say(run(), actions=[action("failed", "422 no such list.")], attempts={UUID(int=7): [Attempt(status=422)]})
    assert failed.endswith(f"and failed (422 no such list), {ALONE}; nobody was asked.")
    refused = say(run(), actions=[action("refused", "Do not contact.")], outcomes=[outcome(acted=False)])
    assert refused.endswith(f"Revenue worth 120.5 was reported on {ON}, without its doing.")
    many = say(run(), actions=sent, outcomes=[outcome() for _ in range(9)])
    assert many.endswith(" And 6 more outcomes were reported.")


def test_a_pause_is_named_with_who_set_it_and_why():
    pause = Pause(region=Region(name="EMEA"), set_by=BEN, set_at=AT, reason="Complaints.")
    says = say(run(), actions=[action("held", "pause:7")], pauses={"pause:7": pause})
    assert f"by the pause of EMEA that Ben Okafor set on {ON} (Complaints), because" in says


def test_whom_it_reached_is_told_where_that_is_somebody_else():
    says = say(run(), actions=[action("delivered", target="boss@acme.com")])
    assert "by e-mail to boss@acme.com, about Kim Lind at Acme on" in says


def test_who_had_it_sent_again_is_named():
    again = Row(
        UUID(int=1), AT, "action.again", "person:2", "action:6", "", None, "", "", "", "", {"by": str(UUID(int=7))}, 1
    )
    old = action("withdrawn", "Sent again.", id=UUID(int=6))
    says = say(run(), actions=[old, action("delivered")], entries={"action:6": [again]}, people={"person:2": BEN})
    assert f"; nobody was asked; Ben Okafor had it sent again on {ON}." in says


def test_why_nothing_was_done():
    none = run("none", "", "No play: score 12 is below the threshold 30", play=None)
    assert say(none) == (
        f"{WHO} did nothing on {ON} about “pricing_visit” from Kim Lind at Acme, because score 12 is below the "
        "threshold 30 (scorecard version 1 scored it 82 (Pricing visit, Size)), under policy version 3, no clause of "
        "which was needed; nobody was asked."
    )
    unfit = run("none", "", "No play fits. call is only for where signal.size is 9, which is not so", play=None)
    assert "because no play fits: call is only for where signal.size is 9, which is not so (scorecard" in say(unfit)
    never = run("never", "c4", "Never: Demo follow-up in apac (nobody is awake)")
    assert say(never) == (
        f"{WHO} did not send Demo follow-up to Kim Lind at Acme on {ON} after “pricing_visit”, because it must never: "
        "Demo follow-up in apac (nobody is awake) (scorecard version 1 scored it 82 (Pricing visit, Size)), under "
        "policy version 3, clause c4 (never); nobody was asked."
    )
    nowhere = say(run("ask", "unassigned", "Asks: the region is unassigned"), actions=[action("waiting")])
    assert (
        ", under policy version 3, by the rule of every policy that nothing is done alone where region or segment is "
        "unassigned; " in nowhere
    )
    unsaid = run("never", "default", "Never: no clause allows it")
    assert say(unsaid).endswith("under policy version 3, in which no clause allows it; nobody was asked.")


def test_an_agent_that_nobody_owns_is_said_so_and_a_lost_signal_leaves_the_account():
    says = say(run(owner=None), None, [action("delivered")])
    assert says.startswith(
        "Nobody is accountable, for the agent has no owner: Inbound intent sent Demo follow-up version 2 by e-mail to "
        "acme.com on"
    )


def test_several_steps_tell_the_worst_first_and_name_the_rest():
    says = say(run(), actions=[action("delivered"), action("failed", "no", step="call"), action("delivered")])
    assert "tried to send" in says
    assert says.endswith(" Of its 3 steps: mail delivered, call failed, mail delivered.")


def test_what_was_sent_again_counts_as_it_stands_now():
    says = say(run(), actions=[action("withdrawn", "Sent again."), action("delivered")])
    assert "sent Demo follow-up" in says
    assert "withdrawn" not in says


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("delivered", f" It was taken back on {ON}, by Eve Lund."),
        ("ready", " It is being taken back, by Eve Lund."),
        ("held", " It is to be taken back, by Eve Lund; a pause holds that."),
        ("failed", " Taking it back, by Eve Lund, did not work (no)."),
    ],
)
def test_what_was_taken_back(state, says):
    back = action(state, "no" if state == "failed" else "", undo_of=UUID(int=1), permitted_by="person:3")
    told = say(run(), actions=[action("delivered"), back], people={"person:3": EVE})
    assert told.endswith(f"nobody was asked.{says} {YET}")


def test_every_state_has_its_words():
    assert set(HEADLINES) == set(State)
