"""Connections: configured by what their connector asks for, secrets only ever written, tried out, and followed."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.changes.connection import create_connection
from agents.models import Attempt, Connection
from audit.ids import new_id
from audit.models import Entry

pytestmark = pytest.mark.django_db

HTTP = {"base_url": "https://crm.example.com/api", "method": "POST", "auth": "bearer", "timeout": "10",
        "lookup_after": "60", "auth_header": "X-Api-Key"}  # fmt: skip


@pytest.fixture
def ada(person):
    return person("Ada", role="admin")


@pytest.fixture
def eve(person):
    return person("Eve", role="engineer")


@pytest.fixture
def crm(db):
    config = {"base_url": "https://crm.example.com/api", "auth": "bearer"}
    return create_connection(
        actor="cli", slug="crm", name="CRM", kind="http", config=config, secrets={"secret": "s3cret"}
    )


@pytest.fixture
def sandbox(db):
    return create_connection(actor="cli", slug="box", name="Box", kind="sandbox", config={})


def bodies(slug):
    return [bytes(one.body).decode() for one in Entry.objects.filter(subject=f"connection:{slug}").order_by("id")]


def test_is_made_from_what_its_connector_asks_for(client, eve):
    client.force_login(eve)
    assert "Set up Sandbox" in client.get("/connections/new").content.decode()
    said = {**HTTP, "name": "CRM", "secret": "hunter2-token", "headers": "X-Tenant: seven"}
    answer = client.post("/connections/new?kind=http", said)
    assert (answer.status_code, answer["Location"]) == (303, "/connections/crm")
    made = Connection.objects.get()
    assert made.secrets == {"secret": "hunter2-token"}
    assert made.config["headers"] == {"X-Tenant": "seven"}
    assert "hunter2" not in made.secrets_sealed
    for path in ("/connections/crm", "/connections/crm/edit"):
        assert "hunter2" not in client.get(path).content.decode()
    assert "hunter2" not in "".join(bodies("crm"))
    assert "seven" not in "".join(bodies("crm"))
    assert '"hidden":["headers"]' in bodies("crm")[0]


def test_every_fault_is_beside_its_field(client, eve):
    client.force_login(eve)
    said = {**HTTP, "name": "CRM", "base_url": "http://10.0.0.8/api", "timeout": "900", "undo_method": "DELETE"}
    form = client.post("/connections/new?kind=http", said).context["form"]
    assert "timeout" in form.errors
    form = client.post("/connections/new?kind=http", {**said, "timeout": "9"}).context["form"]
    assert "private" in form.errors["base_url"][0]
    assert "Give both or neither" in form.errors["undo_path"][0]
    assert not Connection.objects.exists()


def test_private_hosts_are_for_admins_to_allow(client, eve, ada, crm):
    said = {**HTTP, "name": "CRM", "base_url": "https://crm.example.com/api", "allowed_hosts": "10.0.0.8"}
    client.force_login(eve)
    assert client.post("/connections/crm/edit", said).status_code == 303
    crm.refresh_from_db()
    assert crm.allowed_hosts == []
    client.force_login(ada)
    assert client.post("/connections/crm/edit", {**said, "allowed_hosts": "no host at all"}).status_code == 422
    assert client.post("/connections/crm/edit", said).status_code == 303
    crm.refresh_from_db()
    assert crm.allowed_hosts == ["10.0.0.8"]
    assert crm.secrets == {"secret": "s3cret"}


def test_a_secret_goes_nowhere_but_where_it_was_given_for(client, eve, crm):
    client.force_login(eve)
    said = {**HTTP, "name": "CRM", "base_url": "https://elsewhere.example.net"}
    answer = client.post("/connections/crm/edit", said)
    assert answer.status_code == 422
    assert "another host" in answer.context["form"].errors["secret"][0]
    assert client.post("/connections/crm/edit", {**said, "secret": "a-new-one"}).status_code == 303
    crm.refresh_from_db()
    assert crm.secrets == {"secret": "a-new-one"}
    assert "a-new-one" not in "".join(bodies("crm"))


def test_a_secret_is_kept_when_left_empty_and_removed_when_asked(client, eve, crm):
    client.force_login(eve)
    client.post("/connections/crm/edit", {**HTTP, "name": "Our CRM"})
    crm.refresh_from_db()
    assert (crm.name, crm.secrets) == ("Our CRM", {"secret": "s3cret"})
    client.post("/connections/crm/edit", {**HTTP, "name": "Our CRM", "auth": "none", "forget-secret": "on"})
    crm.refresh_from_db()
    assert crm.secrets == {}


def test_the_second_of_two_editors_is_told_who_was_first(client, eve, crm):
    client.force_login(eve)
    seen = client.get("/connections/crm/edit").context["form"]["seen"].value()
    assert client.post("/connections/crm/edit", {**HTTP, "name": "One", "seen": seen}).status_code == 303
    answer = client.post("/connections/crm/edit", {**HTTP, "name": "Two", "seen": seen})
    assert answer.status_code == 412
    assert "Eve changed this" in answer.content.decode()


@pytest.mark.parametrize(("role", "may"), [("engineer", True), ("ops", False), ("owner", False), ("auditor", False)])
def test_who_may_connect(client, person, crm, role, may):
    client.force_login(person("Someone", role=role))
    assert client.get("/connections/crm").status_code == 200
    assert client.get("/connections/crm/edit").status_code == (200 if may else 403)
    assert client.post("/connections/crm/switch", {"on": "no"}).status_code == (303 if may else 403)
    crm.refresh_from_db()
    assert crm.is_active is not may


def test_the_test_says_what_it_found_and_health_follows(client, eve, sandbox):
    client.force_login(eve)
    page = client.post("/connections/box/test", follow=True)
    assert "It works: the sandbox is always there" in page.content.decode()
    assert page.context["health"] == "healthy"
    closed = create_connection(
        actor="cli", slug="closed", name="Closed", kind="http",
        config={"base_url": "http://127.0.0.1:9"}, allowed_hosts=["127.0.0.1:9"],
    )  # fmt: skip
    page = client.post("/connections/closed/test", follow=True)
    assert page.context["health"] == "failing"
    closed.refresh_from_db()
    assert closed.last_error
    assert closed.last_error in page.content.decode().replace("&#x27;", "'")
    assert [one.verb for one in Entry.objects.filter(verb="connection.tested")] == ["connection.tested"] * 2


def attempt(connection, verdict="delivered", *, age=timedelta(), **more):
    at = timezone.now() - age
    return Attempt.objects.create(
        id=new_id(), action_id=new_id(), connection=connection, at=at, permit_until=at, flight_until=at,
        settled_at=at, verdict=verdict, **more,
    )  # fmt: skip


def test_the_log_and_the_mailbox_show_what_went_through(client, charlie, sandbox):
    message = {"to": "jo@acme.example", "subject": "Your <trial>", "text": "Shall we talk?"}
    attempt(sandbox, receipt={"sandbox": True, "message": message}, ms=3)
    for _ in range(40):
        attempt(sandbox, "failed", detail="sandbox: made to fail", status=503)
    client.force_login(charlie)
    with CaptureQueriesContext(database) as queries:
        page = client.get("/connections/box")
    assert len(queries) <= 12
    assert (len(page.context["log"]), bool(page.context["rows"].older)) == (25, True)
    assert "made to fail" in page.content.decode()
    assert len(client.get("/connections/box?verdict=delivered").context["log"]) == 1
    text = client.get("/connections/box/mailbox").content.decode()
    assert "Your &lt;trial&gt;" in text
    assert "Shall we talk?" in text
    assert "nothing left Signalbox" in text
