"""The pages of API tokens, and what an admin does with the sign-in of others."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from approvals.models import ApiToken
from audit.models import Entry
from console import second_step, sign_in_rules
from console.api import tokens
from tests.conftest import PASSWORD
from tests.signing_in import fresh, set_up_app, sign_in, stale

pytestmark = pytest.mark.django_db
TEXT = re.compile(r"sb_[0-9a-f]{8}_[\w-]{43}")


@pytest.fixture
def admin(person):
    return person("Ada", role="admin")


def verbs() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("verb", flat=True))


def test_a_token_is_shown_once_and_revoked_at_once(client, alice):
    Agent.objects.create(slug="inbound", name="Inbound", owner=alice)
    fresh(client, alice)
    made = client.post(
        "/settings/tokens/new", {"name": "CI", "verbs": ["see", "pause"], "days": 7, "agents": ["inbound"]}
    )
    assert (made.status_code, made["Location"]) == (303, "/settings/tokens")
    (text,) = TEXT.findall(client.get("/settings/tokens").content.decode())
    assert tokens.find(text).agents == ["inbound"]
    shown = client.get("/settings/tokens").content.decode()
    assert text not in shown
    assert text[:11] in shown
    client.post(f"/settings/tokens/{tokens.find(text).pk}/revoke")
    assert Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"}).status_code == 401
    assert verbs()[-2:] == ["token.created", "token.revoked"]


def test_what_the_database_refuses_for_another_reason_than_the_prefix_is_not_tried_for_ever(alice, monkeypatch):
    tries = []

    def silent(*args, **kwargs):
        tries.append(args)
        assert len(tries) < 3

    monkeypatch.setattr(tokens, "_note", silent)
    with pytest.raises(IntegrityError, match="without an entry"):
        tokens.make(alice, name="CI", verbs=["see"], expires_at=timezone.now() + timedelta(days=7), actor=alice.actor)
    assert not ApiToken.objects.exists()


def test_a_token_is_made_only_after_confirming_and_what_one_may_oneself(client, alice, bob):
    stale(client, bob)
    assert client.get("/settings/tokens/new")["Location"] == "/confirm?next=%2Fsettings%2Ftokens%2Fnew"
    sent = client.post("/settings/tokens/new", {"name": "CI", "verbs": ["see"], "days": 7}, headers={"Referer": "/"})
    assert sent["Location"].startswith("/confirm?next=")
    client = fresh(Client(), bob)
    assert client.post("/settings/tokens/new", {"name": "CI", "verbs": ["pause"], "days": 7}).status_code == 422
    assert client.post("/settings/tokens/new", {"name": "CI", "verbs": ["see"], "days": 4000}).status_code == 422
    assert not ApiToken.objects.exists()


def test_another_s_token_is_not_there(client, alice, bob, admin):
    fresh(client, alice).post("/settings/tokens/new", {"name": "CI", "verbs": ["see"], "days": 7})
    kept = ApiToken.objects.get()
    assert fresh(Client(), bob).post(f"/settings/tokens/{kept.pk}/revoke").status_code == 404
    assert fresh(Client(), bob).post(f"/people/{alice.pk}/tokens/{kept.pk}/revoke").status_code == 403
    assert fresh(Client(), admin).post(f"/people/{bob.pk}/tokens/{kept.pk}/revoke").status_code == 404
    assert ApiToken.objects.get().revoked_at is None
    assert fresh(Client(), admin).post(f"/people/{alice.pk}/tokens/{kept.pk}/revoke").status_code == 303
    assert ApiToken.objects.get().revoked_at is not None


def test_an_admin_takes_second_steps_away_after_confirming(client, alice, admin, django_capture_on_commit_callbacks):
    set_up_app(theirs := fresh(Client(), alice))
    stale(client, admin)
    assert client.post(f"/people/{alice.pk}/sign-in/reset")["Location"].startswith("/confirm?")
    assert second_step.of(alice).any
    client.post("/confirm", {"password": PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/people/{alice.pk}/sign-in/reset")
    assert not second_step.of(alice).any
    assert theirs.get("/runs").status_code == 302, "whoever has the phone is signed out"
    assert mail.outbox[-1].to == [alice.email]
    assert "Ada took all second steps" in mail.outbox[-1].body
    entry = Entry.objects.get(verb="person.steps_reset")
    assert (entry.subject, entry.actor) == (alice.actor, admin.actor)
    assert fresh(Client(), alice).get("/runs").status_code == 200


def test_an_admin_signs_someone_out_everywhere(client, alice, admin):
    theirs = fresh(Client(), alice)
    assert fresh(client, admin).post(f"/people/{alice.pk}/sign-in/out").status_code == 303
    assert theirs.get("/runs").status_code == 302


@pytest.mark.parametrize("path", ["sign-in/reset", "sign-in/out", "sign-in"])
def test_only_an_admin_does_so(alice, bob, path):
    client = fresh(Client(), alice)
    answer = client.get(f"/people/{bob.pk}/{path}") if path == "sign-in" else client.post(f"/people/{bob.pk}/{path}")
    assert answer.status_code == 403
    assert client.get("/people/sign-in").status_code == 403


def test_a_role_that_needs_a_second_step_gets_nowhere_without(client, alice, bob, admin):
    fresh(client, admin)
    assert client.post("/people/sign-in", {"roles": ["owner"]}).status_code == 303
    assert verbs()[-1] == "sign_in.ruled"
    theirs = fresh(Client(), alice)
    for path in ("/", "/runs", "/settings", "/settings/tokens"):
        answer = theirs.get(path)
        assert (answer.status_code, answer["Location"]) == (303, "/settings/sign-in"), path
    assert theirs.post("/pauses/new").status_code == 303
    assert "Your role needs a second step." in theirs.get("/settings/sign-in").content.decode()
    assert fresh(Client(), bob).get("/runs").status_code == 200
    set_up_app(theirs)
    assert theirs.get("/runs").status_code == 200
    kept = second_step.of(alice).app
    theirs.post(f"/settings/sign-in/steps/{kept.pk}/remove")
    assert second_step.of(alice).any, "the last one stays while the role needs it"
    assert sign_in(Client(), alice)["Location"] == "/sign-in/code"


def test_the_rules_are_changed_after_confirming(client, admin):
    stale(client, admin)
    assert client.post("/people/sign-in", {"roles": ["owner"]})["Location"].startswith("/confirm?")
    assert sign_in_rules.roles() == ()
