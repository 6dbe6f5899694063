"""Moments a person types: none is kept that lies so far off that its row could not be read back."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from agents import absence
from agents.changes.grant import give
from agents.changes.proposal import put_forward
from agents.models import Grant, Pause
from agents.models.proposal import PolicyProposal
from approvals.models import ApiToken, Person
from approvals.moments import EARLIEST, LATEST, ahead, within_reach
from tests import making
from tests.deciding import furnish

pytestmark = pytest.mark.django_db
LOCAL = "%Y-%m-%dT%H:%M"
WEST, EAST = "America/New_York", "Asia/Kolkata"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEVER = {"clauses": [{"id": "c-never", "say": "never"}]}


def test_the_bound_is_a_year_ahead_and_the_year_2000():
    year = NOW + timedelta(days=366)
    assert ahead(year, now=NOW) == within_reach(year, now=NOW) == year
    assert within_reach(EARLIEST, now=NOW) == EARLIEST
    for wrong in (year + timedelta(seconds=1), datetime.max.replace(tzinfo=UTC)):
        for check in (ahead, within_reach):
            with pytest.raises(ValueError, match="more than a year ahead"):
                check(wrong, now=NOW)
    with pytest.raises(ValueError, match="past"):
        ahead(NOW, now=NOW)
    for wrong in (EARLIEST - timedelta(seconds=1), datetime.min.replace(tzinfo=UTC)):
        with pytest.raises(ValueError, match="before the year 2000"):
            within_reach(wrong, now=NOW)


@pytest.mark.parametrize("zone", [WEST, EAST])
@pytest.mark.parametrize(
    ("field", "at"),
    [
        ("until", "9999-12-31T23:59"),
        ("until", "2200-01-01T00:00"),
        ("since", "9999-12-31T23:59"),
        ("since", "0001-01-01T00:00"),
        ("since", "1999-12-30T00:00"),
    ],
)
def test_away_is_bounded(client, bob, zone, field, at):
    Person.objects.filter(pk=bob.pk).update(time_zone=zone)
    client.force_login(bob)
    form = {"since": timezone.now().strftime(LOCAL), "until": "", "delegate": "", field: at}
    answer = client.post("/settings/away", form)
    assert (answer.status_code, field in answer.context["form"].errors) == (422, True)
    bob.refresh_from_db()
    assert bob.away_from is None
    assert client.get("/settings/away").status_code == 200


def test_a_moment_to_go_live_is_bounded(client, alice):
    world = furnish(alice)
    for at in (datetime.max.replace(tzinfo=UTC), timezone.now() + timedelta(days=400)):
        with pytest.raises(ValidationError, match="more than a year ahead"):
            put_forward(world.agent, person=alice, spec=NEVER, reason="x", go_live_at=at)
    assert not PolicyProposal.objects.exists()


@pytest.mark.parametrize("at", ["9999-12-31T23:59", "0001-01-01T00:00"])
def test_the_form_of_boundaries_says_so(client, alice, at):
    furnish(alice)
    Person.objects.filter(pk=alice.pk).update(time_zone=WEST if at[0] == "9" else EAST)
    client.force_login(alice)
    clause = {"clauses-0-row": "1", "clauses-0-id": "c1", "clauses-0-say": "never"}
    client.post("/agents/inbound-intent/policy", {"as": "rows", **clause, "do": "review"})
    shown = client.get("/agents/inbound-intent/policy/review").context
    said = {"seen": shown["seen"], "reason": "x", "when": "at", "at": at, "base": shown["base"]}
    assert client.post("/agents/inbound-intent/policy/review", said).status_code == 422
    assert not PolicyProposal.objects.exists()
    assert client.get("/proposals").status_code == 200


def test_a_grant_ends_within_a_year(person, bob):
    ada = person("Ada", role="admin")
    with pytest.raises(ValidationError, match="more than a year ahead"):
        give(
            bob,
            on=making.region(),
            verbs=["see"],
            why="x",
            expires_at=datetime.max.replace(tzinfo=UTC),
            actor=ada.actor,
            by=ada,
        )
    assert not Grant.objects.exists()


@pytest.mark.parametrize("far", [EARLIEST - timedelta(seconds=1), LATEST + timedelta(seconds=1)])
def test_the_database_refuses_what_the_service_let_through(bob, alice, far):
    agent = making.agent(making.play(making.sandbox()), alice)
    now = timezone.now()
    rows = [
        lambda: Person.objects.filter(pk=bob.pk).update(away_from=far),
        lambda: Person.objects.filter(pk=bob.pk).update(away_until=far),
        lambda: PolicyProposal.objects.create(
            agent=agent, base=0, spec={}, reason="x", widens=False, proposed_by=bob, go_live_at=far
        ),
        lambda: Pause.objects.create(reason="x", set_at=now, until=far),
        lambda: ApiToken.objects.create(person=bob, name="x", prefix="x", digest=b"x", expires_at=far),
    ]
    for row in rows:
        with pytest.raises(IntegrityError, match="_sane"), transaction.atomic():
            row()


def test_rows_out_of_bounds_are_moved_to_the_bound_by_the_upgrade(bob, alice):
    agent = making.agent(making.play(making.sandbox()), alice)
    made = PolicyProposal.objects.create(
        agent=agent, base=0, spec={}, reason="x", widens=False, proposed_by=bob, go_live_at=timezone.now()
    )
    fine = Person.objects.get(pk=alice.pk)
    absence.set_away(fine, by=fine, since=NOW, until=None)
    connection.check_constraints()
    steps = [("approvals", "0008_sane_moments"), ("agents", "0015_sane_moments"), ("agents", "0018_entries_required")]
    loader = MigrationLoader(connection)
    with connection.schema_editor(atomic=False) as editor:
        for step in reversed(steps):
            loader.get_migration(*step).unapply(loader.project_state(step, at_end=False), editor)
        with connection.cursor() as cursor:
            far = ["0001-12-31 14:41:01+00 BC", "10000-01-01 04:59:00+00", bob.pk]
            cursor.execute("update approvals_person set away_from = %s, away_until = %s where id = %s", far)
            cursor.execute("update agents_policyproposal set go_live_at = 'infinity' where id = %s", [made.pk])
        for step in steps:
            loader.get_migration(*step).apply(loader.project_state(step, at_end=False), editor)
    bob.refresh_from_db()
    made.refresh_from_db()
    assert (bob.away_from, bob.away_until, made.go_live_at) == (EARLIEST, LATEST, LATEST)
    fine.refresh_from_db()
    assert (fine.away_from, fine.away_until) == (NOW, None)
