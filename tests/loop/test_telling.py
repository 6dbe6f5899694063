"""Who is mailed about questions, when, and that it is once: real mails over SMTP."""

import re
import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from agents import tasks, telling
from agents.telling import tell_due
from approvals.models import Approval, Call, Notice, Person, Told
from audit.timeline import Filters, timeline
from tests.deciding import furnish
from tests.hostile.mails import mail_server
from tests.running import until

NOON = 12
BASE = "https://box.example.com"


@pytest.fixture
def post(settings):
    with mail_server() as mails:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mails.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.BASE_URL = BASE
        yield mails


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def to(mails, person):
    """The texts of this person's mails, in order; whatever does not follow from the line breaks of a mail."""
    return [
        " ".join(message.get_body(("plain",)).get_content().split())
        for people, message in mails.messages()
        if people == [person.email]
    ]


def subjects(mails, person):
    return [" ".join(message["Subject"].split()) for people, message in mails.messages() if people == [person.email]]


def wants(person, wish, **more):
    Person.objects.filter(pk=person.pk).update(mails=wish, **more)


def test_the_first_comes_at_once_and_the_next_together_ten_minutes_later(world, post, bob):
    (first,) = world.ask()
    now = timezone.now()
    assert tell_due(now=now) == 2, "the rep, and the owner"
    assert subjects(post, bob) == ["[Signalbox] Waits for a yes or no: Send “Your team and Acme” to Jo at Acme"]
    assert f"{BASE}/inbox/{first.pk}" in to(post, bob)[0]
    world.ask(3)
    assert tell_due(now=now + timedelta(minutes=9)) == 0
    assert tell_due(now=now + timedelta(minutes=11)) == 2
    assert len(to(post, bob)) == 2
    assert subjects(post, bob)[1] == "[Signalbox] Waits for a yes or no 3"
    assert str(first.pk) not in to(post, bob)[1]
    assert tell_due(now=now + timedelta(days=1)) == 0, "nothing is told twice"


def test_no_link_of_a_mail_decides(world, post, bob, client):
    (one,) = world.ask()
    tell_due()
    links = [link.removeprefix(BASE) for link in re.findall(rf"{BASE}\S*", to(post, bob)[0])]
    html = post.messages()[-1][1].get_body(("html",)).get_content()
    links += re.findall(rf'href="{BASE}([^"]*)"', html)
    assert len(links) >= 4
    client.force_login(bob)
    for link in links:
        assert client.get(link).status_code == 200, link
    one.refresh_from_db()
    assert one.state == "waiting"
    client.logout()
    assert all(client.get(link).status_code == 302 for link in links), "a stranger with the link has to sign in"
    assert "wants" not in html


def test_five_hundred_questions_are_one_mail_each(world, post, bob):
    world.ask(500)
    assert tell_due() == 2
    assert len(post.messages()) == 2
    text = to(post, bob)[0]
    assert text.count(f"{BASE}/inbox/") == 20
    assert "and 480 more in the Inbox" in text
    assert Told.objects.filter(person=bob).count() == 500
    (entry,) = timeline(Filters(verb="person.told", subject=bob.actor))
    assert entry.detail["questions"] == 500


def test_hourly_and_daily_come_together_at_their_time_and_never_does_not(world, post, alice, bob, person):
    dana, eve = person("Dana", role="ops", time_zone="Asia/Tokyo"), person("Eve", role="ops")
    for who, wish in ((alice, "now"), (bob, "hourly"), (dana, "daily"), (eve, "never")):
        wants(who, wish)
    world.ask(2)
    start = timezone.now()
    tell_due(now=start)
    world.ask(2)
    heard = {who: [] for who in (alice, bob, dana, eve)}
    for minutes in range(0, 26 * 60, 7):
        at = start + timedelta(minutes=minutes)
        Approval.objects.filter(state="waiting").update(
            warn_at=at + timedelta(days=2), expires_at=at + timedelta(days=3)
        )
        before = {who: len(to(post, who)) for who in heard}
        tell_due(now=at)
        for who, times in heard.items():
            if len(to(post, who)) > before[who]:
                times.append(at)
    assert [len(to(post, who)) for who in (alice, bob, dana, eve)] == [2, 2, 2, 0]
    assert heard[bob][0].minute >= bob.pk * 7 % 60 or heard[bob][0] - start >= timedelta(minutes=0)
    assert timedelta(0) <= heard[bob][0] - start <= timedelta(minutes=67)
    local = heard[dana][0].astimezone(dana.zone)
    assert (local.hour, local.minute // 7) == (9, 0), "nine in Tokyo"


def test_it_warns_once_before_expiry_and_not_who_wants_no_mail(world, post, alice, bob):
    wants(bob, "daily")
    wants(alice, "never")
    world.ask()
    start = timezone.now()
    tell_due(now=start)
    Approval.objects.update(warn_at=start + timedelta(hours=2), expires_at=start + timedelta(hours=3))
    assert tell_due(now=start + timedelta(hours=1)) == 0
    for minutes in (121, 135, 150):
        tell_due(now=start + timedelta(minutes=minutes))
    assert [subject.partition(":")[0] for subject in subjects(post, bob)] == [
        "[Signalbox] Waits for a yes or no",
        "[Signalbox] Expires soon",
    ]
    assert to(post, alice) == []
    local = (start + timedelta(hours=3)).astimezone(bob.zone)
    assert f"expires {local.day} {local:%b %Y %H:%M UTC}" in to(post, bob)[1]


def test_calls_come_at_once_whatever_the_digest_and_escalation_even_to_who_wants_none(world, post, alice, bob, person):
    dana = person("Dana", role="ops")
    wants(bob, "daily")
    wants(alice, "never")
    wants(dana, "daily")
    one, other = world.ask(2)
    start = timezone.now()
    tell_due(now=start)
    assert [len(to(post, who)) for who in (alice, bob, dana)] == [0, 1, 1]
    later = start + timedelta(minutes=2)
    for who, kind, about, detail in (
        (bob, "handed", one, "You know her"),
        (dana, "queried", other, "Is this the right Jo?"),
        (alice, "escalated", one, ""),
        (alice, "handed", other, ""),
    ):
        Call.objects.create(approval=about, person=who, kind=kind, by=alice, at=later, detail=detail)
    assert tell_due(now=later) == 3
    assert subjects(post, bob)[-1].startswith("[Signalbox] Handed to you: Send")
    assert "Alice: You know her" in to(post, bob)[-1]
    assert "Is this the right Jo?" in to(post, dana)[-1]
    assert subjects(post, alice) == [
        "[Signalbox] Nobody answered: it falls to you: Send “Your team and Acme” to Jo 0 at Acme"
    ]
    assert tell_due(now=later + timedelta(hours=2)) == 0


def test_a_question_in_other_hands_put_off_or_for_one_who_is_away_is_not_mailed(world, post, alice, bob, person):
    one, _, away = world.ask(3)
    dana = person("Dana", role="ops")
    Person.objects.filter(pk=dana.pk).update(away_from=timezone.now() - timedelta(hours=1))
    Approval.objects.filter(pk=one.pk).update(assigned_to=alice)
    bob.snoozes.create(approval=away, until=timezone.now() + timedelta(hours=1))
    tell_due()
    assert subjects(post, bob) == ["[Signalbox] Waits for a yes or no: Send “Your team and Acme” to Jo 1 at Acme"]
    assert subjects(post, alice) == ["[Signalbox] Waits for a yes or no 3"]
    assert to(post, dana) == []
    tell_due(now=timezone.now() + timedelta(hours=2))
    assert len(to(post, bob)) == 2, "once it is no longer put off"


def test_rounds_at_the_same_time_tell_once(world, post, bob):
    world.ask(5)
    start = threading.Barrier(6)

    def together():
        start.wait()
        try:
            tell_due()
        finally:
            connections.close_all()

    rounds = [threading.Thread(target=together) for _ in range(6)]
    [one.start() for one in rounds]
    [one.join() for one in rounds]
    assert len(post.messages()) == 2
    assert Notice.objects.count() == 2
    assert Told.objects.count() == 10


def test_what_did_not_go_goes_later_under_the_same_id_and_only_if_it_is_still_true(world, post, settings, alice, bob):
    one, other = world.ask(2)
    start = timezone.now()
    for who, approval in ((bob, one), (alice, other)):
        notice = Notice.objects.create(id=f"019a0000-0000-7000-8000-{who.pk:012}", person=who, claimed_at=start)
        notice.lines.create(person=who, approval=approval, kind="asked")
    Approval.objects.filter(pk=other.pk).update(state="expired", decided_at=start)
    assert tell_due(now=start + timedelta(minutes=5)) == 0, "they may still be under way"
    assert tell_due(now=start + timedelta(minutes=16)) == 1
    ids = [message["Message-ID"] for people, message in post.messages() if people == [bob.email]]
    assert len(ids) == 1
    assert ids[0].startswith(f"<019a0000-0000-7000-8000-{bob.pk:012}@")
    assert to(post, alice) == [], "that question is no longer asked"
    assert tell_due(now=start + timedelta(minutes=45)) == 1, "Alice, of the other"
    assert len(post.messages()) == 2


def test_without_a_mail_server_nothing_is_marked_as_told(world, post, settings, bob):
    world.ask()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 9
    assert tell_due() == 0
    assert not Notice.objects.exists()
    settings.EMAIL_PORT = port
    assert tell_due() == 2


def test_old_notices_are_forgotten(world, post):
    world.ask()
    tell_due()
    assert telling.forget_old() == 0
    assert telling.forget_old(now=timezone.now() + timedelta(days=91)) > 0
    assert not Told.objects.exists()


def test_a_worker_mails_by_its_own_queue(world, worker, post, bob):
    world.ask()
    mail = {"SIGNALBOX_SMTP_URL": f"smtp://127.0.0.1:{post.port}", "SIGNALBOX_BASE_URL": BASE}
    worker(queues="telling", concurrency=1, env=mail)
    until(lambda: tasks.tell.delay() and len(post.messages()) == 2, seconds=20, what="both are told", pause=0.2)
    tasks.tell.delay()
    assert f"{BASE}/inbox/" in to(post, bob)[0]
