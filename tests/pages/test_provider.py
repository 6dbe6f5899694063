"""Signing in with a company's OpenID Connect provider: a real one, in a process of its own."""

import subprocess
import sys
from dataclasses import replace

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client

from approvals.models import Person
from audit.models import Entry
from console.env import OIDC_ID, Oidc, read
from tests.conftest import PASSWORD
from tests.oidc_provider import CLIENT, SECRET

pytestmark = pytest.mark.django_db
THERE = f"/sign-in/with/{OIDC_ID}"


@pytest.fixture(scope="module")
def issuer():
    command = [sys.executable, "-m", "tests.oidc_provider", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture
def provider(issuer, settings):
    """`provider(role="rep", email=…, forged=True)` says who comes next."""

    def say(*, role: str = "", flaws: dict | None = None, **claims):
        oidc = Oidc(issuer, CLIENT, SECRET, ("example.com",), role, "Example ID")
        settings.ENV = replace(settings.ENV, oidc=oidc)
        app = {"provider_id": OIDC_ID, "name": oidc.name, "client_id": CLIENT, "secret": SECRET}
        app["settings"] = {"server_url": issuer, "oauth_pkce_enabled": True}
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
        requests.post(f"{issuer}/next", json={"claims": claims, **(flaws or {})}, timeout=5)

    return say


def come(client: Client, there: str = THERE):
    """The way there and back, as a browser follows it; the answer of our own callback."""
    to = client.get(there)
    assert to.status_code == 302
    if not to["Location"].startswith("http"):
        return to
    back = requests.get(to["Location"], allow_redirects=False, timeout=5)
    assert back.headers["Location"].startswith(f"http://testserver{THERE}/back?")
    return client.get(back.headers["Location"].removeprefix("http://testserver"))


def refused(client: Client, answer) -> str:
    """Back at sign-in, signed in nowhere; why."""
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in")
    assert client.get("/runs").status_code == 302
    return client.get("/sign-in").content.decode()


def test_someone_known_is_linked_once_and_told(client, alice, provider, django_capture_on_commit_callbacks):
    provider(email="ALICE@example.com")
    assert "Sign in with Example ID" in client.get("/sign-in").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        assert come(client, f"{THERE}?next=/runs")["Location"] == "/runs"
    assert client.get("/runs").status_code == 200
    assert mail.outbox[-1].to == [alice.email]
    assert come(Client())["Location"] == "/agents?owner=me"
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD), "the password stays"
    assert Entry.objects.filter(verb="person.linked").count() == 1
    assert SocialAccount.objects.get(user=alice).extra_data == {}


def test_a_newcomer_gets_the_configured_role_and_no_password(client, provider):
    provider(role="auditor", email="new@example.com", name="Nia New", sub="8")
    assert come(client).status_code == 302
    made = Person.objects.get(email="new@example.com")
    assert (made.name, made.role, made.has_usable_password()) == ("Nia New", "auditor", False)
    assert client.get("/runs").status_code == 200


@pytest.mark.parametrize(
    ("claims", "flaws", "word"),
    [
        ({"email": "new@example.com"}, {}, "Ask an admin to invite you"),
        ({"email": "alice@elsewhere.example"}, {}, "domain that may not sign in"),
        ({"email": "alice@example.com", "email_verified": False}, {}, "does not vouch"),
        ({}, {}, "does not vouch"),
        ({"email": "alice@example.com"}, {"forged": True}, "does not hold"),
        ({"email": "alice@example.com"}, {"unsigned": True}, "does not hold"),
        ({"email": "alice@example.com", "aud": "another"}, {}, "does not hold"),
        ({"email": "alice@example.com", "iss": "http://127.0.0.1:1"}, {}, "does not hold"),
        ({"email": "alice@example.com", "exp": 1}, {}, "does not hold"),
        ({"email": "alice@example.com"}, {"denied": True}, "did not let you in"),
        ({"email": "alice@example.com"}, {"issuer": "http://127.0.0.1:1"}, "does not hold"),
    ],
)
def test_what_does_not_hold_lets_nobody_in(client, alice, provider, claims, flaws, word):
    provider(flaws=flaws, **claims)
    assert word in refused(client, come(client))
    assert not SocialAccount.objects.exists()


def test_a_closed_person_stays_out(client, alice, provider):
    alice.is_active = False
    alice.save()
    provider(email=alice.email)
    refused(client, come(client))


def test_an_answer_nobody_asked_for_is_refused(client, alice, provider):
    provider(email=alice.email)
    refused(client, client.get(f"{THERE}/back?code=x&state=y"))
    refused(client, client.get(f"{THERE}/back"))


def test_it_never_leads_elsewhere_and_counts_as_a_fresh_step(client, alice, provider):
    provider(email=alice.email)
    assert come(client, f"{THERE}?next=//elsewhere.example/")["Location"] == "/agents?owner=me"
    assert client.get("/settings/tokens/new").status_code == 200


def test_without_configuration_there_is_none(client, issuer):
    refused(client, client.get(THERE))
    assert "Sign in with" not in client.get("/sign-in").content.decode().replace("Sign in with a passkey", "")


ASKED = {
    "SIGNALBOX_OIDC_ISSUER": "https://login.example.com/",
    "SIGNALBOX_OIDC_CLIENT_ID": "signalbox",
    "SIGNALBOX_OIDC_CLIENT_SECRET": "s",
    "SIGNALBOX_OIDC_DOMAINS": "Example.com, example.org",
}


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"SIGNALBOX_OIDC_ISSUER": "http://login.example.com"}, 40),
        ({"SIGNALBOX_OIDC_ISSUER": ""}, 40),
        ({"SIGNALBOX_OIDC_ISSUER": "login"}, 40),
        ({"SIGNALBOX_OIDC_CLIENT_SECRET": ""}, 41),
        ({"SIGNALBOX_OIDC_DOMAINS": ""}, 42),
        ({"SIGNALBOX_OIDC_DOMAINS": "@example.com"}, 42),
        ({"SIGNALBOX_OIDC_ROLE": "admin"}, 43),
    ],
)
def test_a_wrong_setting_is_named_and_nobody_comes_in_by_it(tmp_path, change, number):
    env = read({"SIGNALBOX_VAR": str(tmp_path), **ASKED, **change})
    assert env.oidc is None
    assert number in [problem.number for problem in env.problems]
    assert all(problem.hint for problem in env.problems)


def test_the_settings_of_a_provider(tmp_path):
    env = read({"SIGNALBOX_VAR": str(tmp_path), **ASKED})
    assert env.problems == ()
    assert env.oidc == Oidc(
        "https://login.example.com", "signalbox", "s", ("example.com", "example.org"), "", "login.example.com"
    )
