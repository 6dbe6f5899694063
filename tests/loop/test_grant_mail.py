"""Whoever loses a grant soon is told of it, once, with whoever gave it."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

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


def test_the_person_and_whoever_gave_it_are_told_once(rita, admin):
    granted(rita, admin, days=2, verbs=("see", "pause"))
    granted(rita, admin, days=20, code="amer")
    assert tell_due() == 2
    assert tell_due() == 0
    to_admin, to_rita = sorted(mail.outbox, key=lambda one: one.to)
    assert (to_admin.to, to_admin.subject) == ([admin.email], "[Signalbox] Rita’s grants end soon")
    assert (to_rita.to, to_rita.subject) == ([rita.email], "[Signalbox] Your grants end soon")
    for told in (to_admin, to_rita):
        assert f"May pause and resume it: {making.region('emea')}, until" in told.body
        assert "amer" not in told.body.lower()
        assert "holiday" in told.body
        assert (f"/people/{rita.pk}" in told.body) == (told is to_admin), "her own page is the admins'"
    (entry,) = Entry.objects.filter(verb="grant.ending")
    assert entry.subject == rita.actor


def test_a_grant_that_was_extended_is_told_of_again(rita, admin):
    granted(rita, admin, days=2)
    tell_due()
    granted(rita, admin, days=1)
    assert tell_due() == 2


@pytest.mark.parametrize(("days", "ago"), [(4, 30), (-1, 30), (2, 1)])
def test_what_ends_later_or_ended_or_was_short_is_not_told_of(rita, admin, days, ago):
    granted(rita, admin, days=5, ago=ago)
    Grant.objects.update(expires_at=timezone.now() + timedelta(days=days))
    assert tell_due() == 0
    assert mail.outbox == []


def test_who_wants_no_mails_gets_none(rita, admin):
    type(admin).objects.filter(pk=admin.pk).update(mails="never")
    granted(rita, admin, days=2)
    assert tell_due() == 1
    assert [one.to for one in mail.outbox] == [[rita.email]]
    assert tell_due() == 0
