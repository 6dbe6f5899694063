"""What becomes of the people of a demo workspace who worked on something real, and of its new admin."""

import io
import re

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.utils import timezone

from agents.models import Incident, Pause, Policy
from approvals.models import Person
from console.demo.remove import remove
from tests import making

pytestmark = pytest.mark.django_db


def test_who_worked_on_something_real_is_switched_off_and_kept(person):
    heir = person("Heir", role="admin")
    now = timezone.now()
    agent = making.agent(making.play(making.sandbox()), heir)
    staff = {name: person(name, role="owner", is_demo=True) for name in ("Pat", "Sam", "Lou", "Rae", "Nobody")}
    Policy.objects.create(agent=agent, version=2, spec=making.ASK, reason="why", published_by=staff["Pat"])
    Pause.objects.create(agent=agent, reason="a rest", set_by=staff["Sam"], set_at=now)
    Pause.objects.create(agent=agent, reason="a rest", set_by=heir, set_at=now, lifted_by=staff["Lou"], lifted_at=now)
    Incident.objects.create(
        kind="stalled", agent=agent, cause="x", state="resolved", opened_at=now, last_at=now, resolved_by=staff["Rae"]
    )

    said = remove(heir=heir, actor="cli")

    assert "Switched off, since your own work names them: Pat, Sam, Lou, Rae." in said
    kept = Person.objects.filter(is_demo=True).order_by("pk")
    assert [(one.name, one.is_active, one.has_usable_password()) for one in kept] == [
        (name, False, False) for name in ("Pat", "Sam", "Lou", "Rae")
    ]


def test_the_new_admins_password_is_shown_even_if_the_removal_fails(db):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE agents_seen RENAME TO agents_seen_away")
    shown = io.StringIO()
    with pytest.raises(ProgrammingError):
        call_command("demo", "--remove", "--admin-email", "first@example.com", stdout=shown)
    admin = Person.objects.get(email="first@example.com")
    assert admin.check_password(re.search(r"password\s+(\S+)", shown.getvalue())[1])
