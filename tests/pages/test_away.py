"""Away: said on one page in one's own time, with somebody who may answer standing in, and taken back."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from agents import absence
from approvals.models import Person
from audit.models import Entry

pytestmark = pytest.mark.django_db
LOCAL = "%Y-%m-%dT%H:%M"


def test_it_is_said_in_ones_own_time_and_taken_back(client, bob, person, charlie):
    Person.objects.filter(pk=bob.pk).update(time_zone="Asia/Kolkata")
    carol = person("Carol", role="rep")
    bob.refresh_from_db()
    client.force_login(bob)
    page = client.get("/settings/away").content.decode()
    assert "Carol" in page
    assert "Charlie" not in page, "who may answer nothing can't stand in"
    until = timezone.now() + timedelta(days=30)
    form = {"since": "2026-01-05T09:00", "until": until.strftime(LOCAL), "delegate": carol.pk}
    assert client.post("/settings/away", form).status_code == 303
    bob.refresh_from_db()
    assert (bob.away_from, bob.delegate) == (datetime(2026, 1, 5, 3, 30, tzinfo=UTC), carol)
    assert absence.stand_in(bob) == carol
    assert "You are away" in client.get("/settings/away").content.decode()
    client.post("/settings/away", {"back": "1"})
    bob.refresh_from_db()
    assert (bob.away_from, bob.delegate) == (None, None)
    verbs = Entry.objects.filter(subject=bob.actor, verb__in=("person.away", "person.back")).order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == ["person.away", "person.back"]


def test_what_does_not_hold_is_said_beside_it(client, bob, person):
    carol = person("Carol", role="rep")
    absence.set_away(carol, by=carol, since=timezone.now() - timedelta(hours=1), until=None, delegate=bob)
    client.force_login(bob)
    now = timezone.now()
    form = {"since": now.strftime(LOCAL), "until": (now - timedelta(days=1)).strftime(LOCAL), "delegate": carol.pk}
    answer = client.post("/settings/away", form)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "leads back to you" in text
    assert "after the beginning" in text
    bob.refresh_from_db()
    assert bob.away_from is None
