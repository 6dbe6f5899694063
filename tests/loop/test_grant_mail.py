"""Whoever loses a grant soon is told of it, once, with whoever gave it."""

import asyncio
from contextlib import contextmanager
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from django.utils import timezone

from agents.changes.grant import give
from agents.grant_mail import tell_due
from agents.models import Grant
from audit.models import Entry
from console.engines import ports
from tests import making
from tests.connectors.relay import Handler

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(person):
    return person("Ada", role="admin")


@pytest.fixture
def rita(person):
    return person("Rita", role="rep", everywhere=False)


def granted(rita, admin, *, days, ago=30, verbs=("see",), code="emea"):
    """A grant that ends in so many days, given so many ago."""
    now = timezone.now()
    ends = now + timedelta(days=days)
    give(rita, on=making.region(code), verbs=verbs, why="holiday", actor=admin.actor, by=admin, expires_at=ends)
    Grant.objects.filter(expires_at=ends).update(given_at=now - timedelta(days=ago))


def test_the_person_is_told_once_with_a_copy_to_who_can_extend_it(rita, admin):
    granted(rita, admin, days=2, verbs=("see", "pause"))
    granted(rita, admin, days=20, code="amer")
    assert tell_due() == 1
    assert tell_due() == 0
    (told,) = mail.outbox
    assert (told.to, told.cc) == ([rita.email], [admin.email])
    assert told.subject == "[Signalbox] What Rita was granted ends soon"
    assert f"see, pause (region {making.region('emea')}) until" in told.body
    assert "given by Ada: holiday" in told.body
    assert "amer" not in told.body.lower()
    assert f"/people/{rita.pk}" in told.body
    (entry,) = Entry.objects.filter(verb="grant.ending")
    assert entry.subject == rita.actor


def test_a_grant_that_was_extended_is_told_of_again(rita, admin):
    granted(rita, admin, days=2)
    tell_due()
    granted(rita, admin, days=1)
    assert tell_due() == 1


@pytest.mark.parametrize(("days", "ago"), [(4, 30), (-1, 30), (2, 1)])
def test_what_ends_later_or_ended_or_was_short_is_not_told_of(rita, admin, days, ago):
    granted(rita, admin, days=5, ago=ago)
    Grant.objects.update(expires_at=timezone.now() + timedelta(days=days))
    assert tell_due() == 0
    granted(rita, admin, days=2, code="amer")
    assert tell_due() == 1
    assert "emea" not in mail.outbox[0].body.lower()
    assert Grant.objects.filter(told_at=None).count() == 1


def test_no_copy_goes_to_who_wants_none_or_can_extend_nothing_any_more(rita, admin, person):
    person("Ina", role="admin")
    for changed in ({"mails": "never"}, {"role": "rep", "mails": "now"}, {"role": "admin", "is_active": False}):
        type(admin).objects.filter(pk=admin.pk).update(**changed)
        granted(rita, admin, days=2)
        assert tell_due() == 1
    assert [(one.to, one.cc) for one in mail.outbox] == [([rita.email], [])] * 3


async def hang_up(server):
    server.transport.abort()
    await asyncio.sleep(0)
    return "421 gone"


@contextmanager
def relay(settings, **say):
    """A mail server that answers so (`tests.connectors.relay.Handler`), and the settings that lead to it."""
    server = Controller(Handler(**say), hostname="127.0.0.1", port=ports.free_port())
    server.start()
    with settings_of(settings, server.port):
        yield server.handler.delivered
    server.stop()


@contextmanager
def settings_of(settings, port):
    backend = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield
    settings.EMAIL_BACKEND = backend


def test_a_mail_server_that_is_away_or_goes_away_loses_nothing(rita, admin, settings):
    granted(rita, admin, days=2)
    with settings_of(settings, ports.free_port()):
        assert tell_due() == 0
    for verb in ("MAIL", "DATA"):
        with relay(settings, **{verb: hang_up}) as delivered:
            assert tell_due() == 0
        assert delivered == []
    assert not Entry.objects.filter(verb="grant.ending").exists()
    with relay(settings) as delivered:
        assert tell_due() == 1
        assert tell_due() == 0
    assert [one.rcpt_tos for one in delivered] == [[rita.email, admin.email]]


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
def test_an_address_that_is_refused_is_not_tried_again_and_keeps_nobody_waiting(rita, admin, settings, verb):
    granted(rita, admin, days=2)
    with relay(settings, **{verb: "550 5.1.1 nobody here"}):
        assert tell_due() == 0
    with relay(settings) as delivered:
        assert tell_due() == 0
    assert delivered == []
    assert not Entry.objects.filter(verb="grant.ending").exists()
