"""Whoever loses a grant soon is told of it, once, with whoever gave it."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail
from django.utils import timezone

from agents import grant_mail
from agents.changes.grant import give
from agents.grant_mail import tell_due
from agents.models import Grant
from audit.models import Entry
from tests import making

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


class Odd:
    """A mail server that has a fault."""

    def __init__(self, fault, opens=True):
        self.fault, self.opens = fault, opens

    def open(self):
        if not self.opens:
            raise self.fault

    def send_messages(self, messages):
        raise self.fault

    def close(self):
        pass


@pytest.mark.parametrize(
    ("fault", "opens"), [(ConnectionRefusedError(), False), (SMTPServerDisconnected("gone"), True), (OSError(), True)]
)
def test_a_mail_server_that_is_away_loses_nothing(rita, admin, monkeypatch, fault, opens):
    granted(rita, admin, days=2)
    with monkeypatch.context() as patched:
        patched.setattr(grant_mail, "get_connection", lambda: Odd(fault, opens))
        assert tell_due() == 0
    assert not Entry.objects.filter(verb="grant.ending").exists()
    assert tell_due() == 1


def test_an_address_that_is_refused_is_not_tried_again_and_keeps_nobody_waiting(rita, admin, monkeypatch):
    granted(rita, admin, days=2)
    with monkeypatch.context() as patched:
        patched.setattr(grant_mail, "get_connection", lambda: Odd(SMTPRecipientsRefused({})))
        assert tell_due() == 0
    assert tell_due() == 0
    assert not Entry.objects.filter(verb="grant.ending").exists()
