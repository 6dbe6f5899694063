"""Signing in: whom too many wrong tries lock out, and where a form sent without a session leads."""

import pytest

from audit.models import Entry
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
APPROVE = "/inbox/00000000-0000-7000-8000-000000000007/approve"


def sign_in(client, email, password=PASSWORD, *, address="192.0.2.1"):
    return client.post("/sign-in", {"username": email, "password": password}, REMOTE_ADDR=address).status_code


def test_wrong_tries_lock_one_e_mail_at_one_address_and_the_record_says_so_once(client, alice):
    for _ in range(12):
        status = sign_in(client, alice.email, "not this one")
    assert status == 429
    assert sign_in(client, alice.email) == 429
    (entry,) = Entry.objects.filter(verb="person.locked")
    assert (entry.subject, entry.actor) == (alice.actor, "worker:sign-in")
    assert sign_in(client, alice.email, address="198.51.100.7") == 302, "a stranger's tries keep nobody from a pause"


def test_wrong_tries_on_unknown_e_mails_lock_nobody_else_at_that_address(client, alice):
    for number in range(15):
        sign_in(client, f"nobody{number % 2}@example.com", "not this one")
    assert sign_in(client, alice.email) == 302
    assert not Entry.objects.filter(verb="person.locked").exists()


@pytest.mark.parametrize(
    ("referer", "leads"),
    [
        ("http://testserver/inbox/7?sort=age#more", "/inbox/7?sort=age"),
        ("http://elsewhere.example/inbox/7", "/"),
        ("", "/"),
    ],
)
def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(client, alice, referer, leads):
    sent = client.post(APPROVE, headers={"Referer": referer})
    assert sent.status_code == 302
    back = client.post(sent["Location"], {"username": alice.email, "password": PASSWORD})
    assert back["Location"] == leads


def test_a_page_asked_for_without_a_session_comes_after_sign_in(client, alice):
    assert client.get("/inbox?sort=age")["Location"] == "/sign-in?next=/inbox%3Fsort%3Dage"


def test_the_address_of_a_form_is_a_page_in_the_look_when_opened(client, alice):
    client.force_login(alice)
    answer = client.get(APPROVE)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "<h1>Nothing to see here</h1>" in answer.content.decode()
