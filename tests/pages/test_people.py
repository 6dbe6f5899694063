"""People: invited, changed, closed and let in again by admins, each with its entry; nobody is deleted."""

import json
import re

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from agents.changes import person as people
from agents.changes.agent import change_agent
from agents.changes.person import change_person
from agents.models import Agent
from approvals.models import Person
from audit.entries import Line, record
from audit.models import Entry
from tests import making
from tests.conftest import PASSWORD
from tests.deciding import furnish

pytestmark = pytest.mark.django_db
LINK = re.compile(r"http\S+(/password/reset/[\w-]+/[\w-]+)")


@pytest.fixture
def ada(person):
    return person("Ada", role="admin")


@pytest.fixture
def agent(alice):
    return making.agent(making.play(making.sandbox()), alice)


def said(**more):
    return {"name": "Dana Okoye", "email": "dana@example.com", "role": "rep", "time_zone": "Europe/Berlin", **more}


def sign_in(client, email, password):
    return client.post("/sign-in", {"username": email, "password": password}).status_code == 302


def entries(verb):
    return [json.loads(bytes(one.body)) for one in Entry.objects.filter(verb=verb).order_by("id")]


@pytest.mark.parametrize("role", ["ops", "owner", "rep", "engineer", "auditor"])
def test_is_for_admins_only(client, person, ada, role):
    client.force_login(person("Someone", role=role))
    for path in ("/people", "/people/new", f"/people/{ada.pk}"):
        assert client.get(path).status_code == 403
    assert client.post("/people/new", said()).status_code == 403
    for path in (f"/people/{ada.pk}", f"/people/{ada.pk}/switch", f"/people/{ada.pk}/link"):
        assert client.post(path, said(on="no")).status_code == 403
    assert 'href="/people"' not in client.get("/").content.decode()
    found = client.get("/search", {"q": "Ada"}, headers={"HX-Request": "true", "HX-Target": "found"})
    assert "/people/" not in found.content.decode()


def test_an_invited_person_gets_a_mail_and_sets_a_password(client, ada):
    client.force_login(ada)
    assert 'href="/people"' in client.get("/people").content.decode()
    answer = client.post("/people/new", said())
    dana = Person.objects.get(email="dana@example.com")
    assert (answer.status_code, answer["Location"]) == (303, f"/people/{dana.pk}")
    (sent,) = mail.outbox
    assert sent.to == ["dana@example.com"]
    assert not LINK.search(client.get(f"/people/{dana.pk}").content.decode())
    for verb in ("person.created", "person.invited"):
        (entry,) = entries(verb)
        assert (entry["subject"], entry["actor"]) == (dana.actor, ada.actor)
        assert "Dana" not in json.dumps(entry)
        assert "dana@" not in json.dumps(entry)
    client.logout()
    path = LINK.search(sent.body)[1]
    form = client.get(path, follow=True)
    new = "platform ten at midnight"
    client.post(form.request["PATH_INFO"], {"new_password1": new, "new_password2": new})
    assert sign_in(client, "dana@example.com", new)
    assert "form" not in client.get(path, follow=True).context or not client.get(path, follow=True).context["validlink"]


def test_without_mail_the_link_is_shown_once(client, ada, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    client.force_login(ada)
    text = client.post("/people/new", said(), follow=True).content.decode()
    found = LINK.search(text)
    assert client.get(found[1]).status_code in (200, 302)
    dana = Person.objects.get(email="dana@example.com")
    assert not LINK.search(client.get(f"/people/{dana.pk}").content.decode())
    assert entries("person.invited")[0]["detail"] == {"by": "link"}
    assert LINK.search(client.post(f"/people/{dana.pk}/link", follow=True).content.decode())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"email": "nowhere"}, "email"),
        ({"email": "ADA@example.com"}, "email"),
        ({"role": "king"}, "role"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ],
)
def test_every_fault_is_at_its_field(client, ada, wrong, field):
    client.force_login(ada)
    answer = client.post("/people/new", said(**wrong))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert (Person.objects.count(), mail.outbox) == (1, [])


def test_a_change_says_the_role_but_no_name(client, ada, bob):
    client.force_login(ada)
    seen = client.get(f"/people/{bob.pk}").context["seen"]
    change = said(name="Robert", email="robert@example.com", role="ops", time_zone="UTC", seen=seen)
    assert client.post(f"/people/{bob.pk}", change).status_code == 303
    bob.refresh_from_db()
    assert (bob.name, bob.email, bob.role) == ("Robert", "robert@example.com", "ops")
    (entry,) = entries("person.changed")
    assert entry["detail"] == {"fields": ["email", "name", "role"], "changed": {"role": ["rep", "ops"]}}
    late = client.post(f"/people/{bob.pk}", change)
    assert late.status_code == 412
    assert "Ada changed this" in late.content.decode()


def test_closing_ends_the_session_and_reopening_lets_them_in(client, ada, bob):
    client.force_login(bob)
    assert client.get("/inbox").status_code == 200
    theirs = client.cookies
    client.cookies = type(theirs)()
    client.force_login(ada)
    assert client.post(f"/people/{bob.pk}/switch", {"on": "no"}).status_code == 303
    mine, client.cookies = client.cookies, theirs
    assert client.get("/inbox").status_code == 302
    assert not sign_in(client, bob.email, PASSWORD)
    client.cookies = mine
    assert client.post(f"/people/{bob.pk}/link").status_code == 404
    assert client.post(f"/people/{bob.pk}/switch", {"on": "yes"}).status_code == 303
    assert sign_in(client, bob.email, PASSWORD)
    assert len(entries("person.closed")) == len(entries("person.reopened")) == 1


def test_an_owner_hands_over_before_they_are_closed(client, ada, alice, agent):
    client.force_login(ada)
    answer = client.post(f"/people/{alice.pk}/switch", {"on": "no"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert "They still own " in text
    assert f'href="/agents/{agent.slug}/owner"' in text
    alice.refresh_from_db()
    assert alice.is_active
    assert not entries("person.closed")
    client.post(f"/agents/{agent.slug}/owner", {"owner": ada.pk, "why": "Leaving"})
    Agent.objects.create(slug="idea", name="Idea", job="Perhaps.", owner=alice)
    assert client.post(f"/people/{alice.pk}/switch", {"on": "no"}).status_code == 303
    alice.refresh_from_db()
    assert not alice.is_active


def test_there_is_always_an_admin(client, ada, person):
    zed = person("Zed", role="admin")
    client.force_login(zed)
    assert client.post(f"/people/{zed.pk}/switch", {"on": "no"}).status_code == 422
    own = said(name="Zed", email=zed.email, role="ops")
    answer = client.post(f"/people/{zed.pk}", own)
    assert "ask another admin" in answer.context["form"].errors["role"][0]
    assert client.post(f"/people/{ada.pk}", said(role="rep")).status_code == 303
    zed.refresh_from_db()
    assert (zed.role, zed.is_active) == ("admin", True)


def test_lists_who_answers_for_what_in_few_queries(client, ada, alice, bob, agent, person):
    Agent.objects.filter(pk=agent.pk).update(deputy=bob)
    for n in range(60):
        person(f"Someone {n}")
    client.force_login(ada)
    with CaptureQueriesContext(database) as queries:
        page = client.get("/people")
    assert len(queries) <= 12
    rows = {one.name: (owns, deputises) for one, owns, deputises in page.context["rows"]}
    assert rows["Alice"] == ([agent], [])
    assert rows["Bob"] == ([], [agent])


def test_a_deputy_is_someone_active_and_is_replaced_before_they_leave(client, ada, alice, bob):
    agent = furnish(alice, deputy=bob).agent
    client.force_login(ada)
    answer = client.post(f"/people/{bob.pk}/switch", {"on": "no"})
    assert "They are the deputy for Inbound intent: name another." in answer.content.decode()
    bob.refresh_from_db()
    assert bob.is_active
    change_agent(agent, actor="cli", deputy=None)
    client.post(f"/people/{bob.pk}/switch", {"on": "no"})
    bob.refresh_from_db()
    assert not bob.is_active
    with pytest.raises(ValidationError, match="Bob is no longer active"):
        change_agent(agent, actor="cli", deputy=bob)


def test_what_only_befell_somebody_did_not_change_them(client, ada, bob):
    client.force_login(ada)
    seen = client.get(f"/people/{bob.pk}").context["seen"]
    change = said(name="Robert", email="robert@example.com", role="ops", time_zone="UTC", seen=seen)
    client.post(f"/people/{bob.pk}", change)
    with transaction.atomic():
        record(Line("person.told", bob.actor, "worker:telling", detail={"questions": 1}))
    late = client.post(f"/people/{bob.pk}", change)
    assert late.status_code == 412
    assert "Ada changed this" in late.content.decode()


def test_what_no_person_changed_is_said_without_a_raw_actor(client, ada, bob):
    client.force_login(ada)
    seen = client.get(f"/people/{bob.pk}").context["seen"]
    change_person(bob, actor="cli", name="Robert")
    late = client.post(f"/people/{bob.pk}", said(seen=seen))
    assert late.status_code == 412
    assert "The command line changed this" in late.content.decode()


def test_closing_blames_no_agents_that_there_are_not(alice, bob, monkeypatch):
    monkeypatch.setattr(people, "record", lambda *lines: None)
    with pytest.raises(IntegrityError, match="without an entry"):
        people.close_person(bob, actor=alice.actor)
    bob.refresh_from_db()
    assert bob.is_active
