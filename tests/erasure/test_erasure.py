"""One person is erased whole, and nobody else; the record goes on holding."""

import os
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from agents import again, erasure
from agents.erasure import Held, InFlight, erase, erased_at, preview
from agents.loop.decide import decide
from agents.loop.gate import gate
from agents.loop.hot import hot
from agents.models import Account, Action, DoNotContact, Run
from approvals.models import Approval
from audit import keys
from audit.holds import release, set_hold, standing
from audit.models import Entry
from audit.persons import ERASED, opened
from audit.seal import direct_connection, load_frontier, seal_batch
from audit.timeline import Filters, timeline
from audit.verify import verify
from console.engines.grants import grant
from tests import making
from tests.erasure import lives as life_of
from tests.erasure.conftest import KIM, LEE
from tests.erasure.lives import Life

REASON = "Ticket 4711"


def seal():
    with direct_connection() as conn:
        signer, frontier = keys.signer(conn), load_frontier(conn)
        while seal_batch(conn, frontier, signer)[0]:
            pass


def holds():
    with direct_connection() as conn:
        return verify(conn)


def told_of(life):
    """What the record says of their actions that only they and those who may see it know."""
    rows = [row for action in life_of.states(life) for row in timeline(Filters(subject=f"action:{action}"), limit=200)]
    assert rows
    personal = ("to", "what", "edits", "note", "text", "why")
    return {str(value) for row in opened(rows) for key, value in row.detail.items() if key in personal}


def analyze():
    """As autovacuum does: the catalogue's statistics now hold samples of what stands in the tables."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_nothing_is_left_of_one_and_all_of_the_other(lives, tmp_path, capfd):
    seal()
    analyze()
    assert {"agents_signal", "pg_statistic"} <= {name.partition("_y20")[0] for name in life_of.found(KIM.traces)}
    before = life_of.rows(LEE)
    done = erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    assert done.key
    assert life_of.found(KIM.traces) == {}
    analyze()
    assert life_of.found(KIM.traces) == {}
    assert life_of.rows(LEE) == before
    seal()
    report = holds()
    assert (report.ok, report.unsealed) == (True, 0)
    said = capfd.readouterr()
    assert not [text for text in KIM.traces if text.lower() in (said.out + said.err).lower()]


def test_the_record_says_that_it_was_done_and_no_more(lives):
    erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    (row,) = timeline(Filters(verb="person.erased"))
    assert (row.subject, row.actor) == (f"contact:{KIM.contact.hex()}", "cli")
    assert row.detail["why"] == REASON
    assert row.detail["rows"] == sum(row.detail["tables"].values()) > 20
    assert erased_at(KIM.contact) == row.at
    kim, lee = told_of(KIM), told_of(LEE)
    assert ERASED in kim
    assert not [text for text in kim if KIM.word in text or KIM.name in text]
    assert [text for text in lee if LEE.word in text]
    assert [text for text in lee if LEE.name in text]


def test_what_waits_is_withdrawn_and_what_was_done_stays_counted(lives):
    before, other = life_of.states(KIM), life_of.states(LEE)
    assert "waiting" in before.values()
    done = erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    after = life_of.states(KIM)
    assert done.stopped == sum(state in erasure.STOPPABLE for state in before.values())
    assert after == {id_: "withdrawn" if state in erasure.STOPPABLE else state for id_, state in before.items()}
    assert life_of.states(LEE) == other
    asked = Approval.objects.filter(subject__in=[f"action:{id_}" for id_ in after])
    assert not asked.filter(state="waiting").exists()
    assert asked.filter(state="approved").exists()
    stopped = [id_ for id_ in before if before[id_] != after[id_]]
    entry = timeline(Filters(subject=f"action:{stopped[0]}"))
    assert "action.withdrawn" in [row.verb for row in entry]


def test_it_is_not_sent_again_nor_taken_back(lives, admin):
    erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    for state in ("failed", "delivered", "rejected"):
        for action in Action.objects.filter(contact=KIM.contact, state=state):
            assert not again.undo(action.pk, person=admin).new
            assert not again.send_again([action.pk], person=admin)[0].new
    assert gate(hot) == []


def test_they_stay_untouched_by_hash(lives, admin):
    erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    kept = DoNotContact.objects.get(pk=KIM.contact)
    assert (kept.hint, kept.reason) == (f"#{KIM.contact.hex()[:8]}", "")
    assert life_of.take_in(KIM.event("note", "again")) == ["accepted"]
    decide(hot)
    assert gate(hot) == []
    assert Action.objects.filter(contact=KIM.contact, state="refused").exists()


def test_asked_again_it_does_nothing_more(lives):
    erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    entries = Entry.objects.count()
    assert not preview(KIM.contact, email=KIM.email)
    assert not erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    assert Entry.objects.count() == entries


def test_stopped_half_way_it_goes_on_from_there(lives, monkeypatch):
    told = []

    def tell(table, rows):
        told.append(table)
        if len(told) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email, tell=tell)
    assert erased_at(KIM.contact) is None
    assert life_of.found(KIM.traces)
    erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    assert life_of.found(KIM.traces) == {}


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_it_is_refused_while_something_is_in_flight(lives, state):
    flying = Action.objects.filter(contact=KIM.contact, state="delivered").first()
    Action.objects.filter(pk=flying.pk).update(state=state)
    before, entries = life_of.rows(KIM), Entry.objects.count()
    with pytest.raises(InFlight, match="1 actions"):
        erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    assert preview(KIM.contact).flying == 1
    assert life_of.rows(KIM) == before
    assert Entry.objects.count() == entries


@pytest.mark.parametrize("reason", ["", "  ", "Kim Zarnitz asked", "kim.zarnitz@acme.example wrote", "x@y.example"])
def test_the_reason_names_nobody(lives, reason):
    with pytest.raises(ValidationError):
        erase(KIM.contact, actor="cli", reason=reason, email=KIM.email)
    assert life_of.found(KIM.traces)


def test_the_command_says_what_it_would_do_and_does_it_with_yes(lives, capsys):
    call_command("erase", KIM.email)
    said = capsys.readouterr().out
    assert "Nothing was changed" in said
    assert life_of.found(KIM.traces)
    call_command("erase", KIM.email.upper(), "--yes", "--reason", REASON)
    assert "Erased: " in capsys.readouterr().out
    assert life_of.found(KIM.traces) == {}
    call_command("erase", KIM.email, "--yes", "--reason", REASON)
    assert "Nothing is known of them" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not an e-mail"):
        call_command("erase", "nobody")


def test_an_account_that_is_a_person_goes_with_them(world):
    jo = Life("jo@gmail.example", "Jo Quill", "sandpiper", "jo@gmail.example")
    assert life_of.take_in(jo.event("note", "1")) == ["accepted"]
    decide(hot)
    assert Account.objects.get().key == f"contact:{jo.contact.hex()}"
    assert erase(jo.contact, actor="cli", reason=REASON)
    assert life_of.found(jo.traces) == {}
    assert (Account.objects.get().name, Account.objects.get().history) == ("", {})


def test_a_person_of_ten_thousand_signals(world):
    one = {"email": KIM.email, "contact": KIM.contact, "person": KIM.name, "account": "acme.example", "type": "note"}
    making.signals([{**one, "fields": {"words": KIM.word}} for _ in range(10_000)])
    while decide(hot).signals:
        pass
    assert Action.objects.count() == 10_000
    done = erase(KIM.contact, actor="cli", reason=REASON)
    assert (done.rows["agents_signal"], done.rows["agents_action"], done.stopped) == (10_000, 10_000, 10_000)
    assert life_of.found(KIM.traces) == {}


@pytest.mark.parametrize("on", ["person", "account", "agent", "run", "period"])
def test_a_legal_hold_refuses_it_and_is_named(lives, admin, on):
    run = Run.objects.filter(contact=KIM.contact).first()
    keys = {"person": KIM.contact.hex(), "account": KIM.account, "agent": "inbound", "run": str(run.pk)}
    since = run.received_at if on == "period" else None
    hold = set_hold(on, keys.get(on, ""), actor="cli", reason="Matter 12", since=since)
    before = life_of.rows(KIM)
    with pytest.raises(Held, match=f"{hold.reference}.*Matter 12"):
        erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)
    assert life_of.rows(KIM) == before
    assert release(hold.id, actor="cli", reason="It is over.")
    assert erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)


def test_a_hold_that_is_set_while_it_clears_keeps_the_key(lives):
    def tell(name, rows):
        if not standing():
            set_hold("person", KIM.contact.hex(), actor="cli", reason="Matter 15")

    with pytest.raises(Held, match="Matter 15"):
        erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email, tell=tell)
    assert preview(KIM.contact, email=KIM.email).key
    assert erased_at(KIM.contact) is None


def test_a_hold_on_somebody_else_or_another_time_is_none_on_them(lives):
    set_hold("person", LEE.contact.hex(), actor="cli", reason="Matter 13")
    set_hold("period", since=timezone.now() + timedelta(days=1), actor="cli", reason="Matter 14")
    assert erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email)


ROLE = f"signalbox_erases_{os.getpid()}"


@pytest.fixture
def application(lives):
    """Django works as the application's role, with its rights and no more."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        grant(cursor, ROLE)
        cursor.execute(f"SET ROLE {ROLE}")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"RESET ROLE; DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


def test_the_applications_role_may(application):
    assert erase(KIM.contact, actor="cli", reason=REASON, email=KIM.email).key
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    assert life_of.found(KIM.traces) == {}
