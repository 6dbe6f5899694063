"""API tokens: what they let in, what they don't, and what is told of it."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from agents import access
from agents.models import Agent, Region
from approvals.models import ApiToken
from audit.models import Entry
from console.api import limits, tokens

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"


def problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["how"]
    assert body["where"].endswith(answer.wsgi_request.path)
    return body


def test_a_token_says_whose_it_is(alice, token, api):
    text = token(alice, "see", "pause", regions=["emea"])
    body = api(text).get(ME).json()
    assert body["person"]["email"] == alice.email
    assert (body["token"]["verbs"], body["token"]["regions"]) == (["see", "pause"], ["emea"])
    assert text not in str(body)
    assert ApiToken.objects.get().last_used_at is not None


def test_only_a_keyed_hash_of_it_is_kept_and_the_record_and_a_mail_tell(
    alice, token, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        text = token(alice)
    kept = ApiToken.objects.get()
    entry = Entry.objects.get(verb="token.created")
    secret = text[12:]
    told = "".join([str(vars(kept)), bytes(entry.body).decode(), mail.outbox[-1].body, mail.outbox[-1].subject])
    assert secret not in told
    assert kept.prefix in told
    assert entry.actor == alice.actor


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic YTpi", "Bearer sb_00000000_" + "A" * 43, "é"])
def test_what_is_no_token_gets_401_and_how(header):
    answer = Client().get(ME, headers={"Authorization": header} if header else {})
    problem(answer, 401)
    assert answer["WWW-Authenticate"] == 'Bearer realm="Signalbox"'


def test_expired_revoked_and_closed_ones_get_401(alice, bob, token, api):
    late, gone, closed = token(alice), token(alice), token(bob)
    ApiToken.objects.filter(pk=tokens.find(late).pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "has expired" in problem(api(late).get(ME), 401)["detail"]
    assert tokens.revoke(tokens.find(gone), actor=alice.actor)
    assert not tokens.revoke(tokens.find(gone), actor=alice.actor), "once"
    assert "was revoked" in problem(api(gone).get(ME), 401)["detail"]
    bob.is_active = False
    bob.save()
    problem(api(closed).get(ME), 401)


def test_eleven_wrong_tries_lock_a_token_where_they_came_from(alice, token, api):
    text = token(alice)
    statuses = [api(text[:-1] + ("x" if text[-1] != "x" else "y")).get(ME).status_code for _ in range(11)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    answer = api(text).get(ME)
    assert problem(answer, 429)
    assert int(answer["Retry-After"]) > 0
    assert api(text).get(ME, REMOTE_ADDR="198.51.100.7").status_code == 200
    assert api(token(alice)).get(ME).status_code == 200, "another token from the same address"


def test_unknown_tokens_lock_too(api):
    statuses = [api(f"sb_{number:08x}_{'A' * 43}").get(ME).status_code for number in range(11)]
    assert (statuses[0], statuses[-1]) == (401, 429)


def test_an_address_that_is_none_and_a_method_that_is_none_are_problems(alice, token, api):
    client = api(token(alice))
    problem(client.get("/api/v1/nowhere"), 404)
    problem(client.post("/api/v1/"), 404)
    assert problem(client.delete(ME), 405)
    assert "GET" in client.delete(ME)["Allow"]
    assert client.get(ME, headers={"Accept": "text/html"}).status_code == 406


def test_a_token_never_opens_pages(alice, token, api):
    assert api(token(alice)).get("/runs").status_code == 302


def test_a_token_allows_its_verbs_within_its_scopes_and_never_more_than_its_person(person, alice, bob, token):
    ops = person("Ops", role="ops")
    emea, germany = Region.objects.create(code="emea", name="EMEA"), Region.objects.create(code="emea/de", name="DE")
    apac = Region.objects.create(code="apac", name="APAC")
    narrow = tokens.find(token(ops, "see", "pause", regions=["emea"]))
    limits.require(ops, narrow, access.PAUSE, germany)
    for verb, on in ((access.PAUSE, apac), (access.PAUSE, None), (access.TAKE, emea)):
        with pytest.raises(PermissionDenied):
            limits.require(ops, narrow, verb, on)
    with pytest.raises(PermissionDenied):
        limits.require(bob, tokens.find(token(bob, "pause")), access.PAUSE, emea)
    assert set(limits.visible(ops, narrow, Region.objects.exclude(code="unassigned"))) == {emea, germany}
    assert limits.visible(ops, tokens.find(token(ops)), Region.objects.all()).count() == Region.objects.count()
    agent = Agent.objects.create(slug="inbound", name="Inbound")
    limits.require(ops, tokens.find(token(ops, "pause", agents=["inbound"])), access.PAUSE, agent)
    with pytest.raises(PermissionDenied):
        limits.require(ops, narrow, access.PAUSE, agent)


@pytest.mark.parametrize(("verbs", "days"), [((), 30), (("administer",), 30), (("see",), 366), (("see",), -1)])
def test_no_token_without_verbs_beyond_them_or_for_ever(alice, verbs, days):
    with pytest.raises(ValueError):
        tokens.make(alice, name="x", verbs=verbs, expires_at=timezone.now() + timedelta(days=days), actor=alice.actor)
