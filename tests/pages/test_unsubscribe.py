"""Unsubscribing: a link that changes nothing when opened, and one click that always holds."""

from urllib.parse import urlsplit

import pytest

from agents.models import Action, DoNotContact
from agents.unsubscribe import unsubscribe_url
from audit.models import Entry
from tests.deciding import action_of, furnish


@pytest.fixture
def link(alice, workspace):
    (one,) = furnish(alice).ask()
    action = action_of(one)
    assert action.document["unsubscribe_url"] == unsubscribe_url(bytes(action.contact))
    return urlsplit(action.document["unsubscribe_url"]).path


def test_opening_it_changes_nothing_and_the_button_does(link, client, django_assert_max_num_queries):
    for _ in range(3):
        assert b"Stop the mails" in client.get(link).content
        assert client.head(link).status_code == 200
    assert not DoNotContact.objects.exists()
    with django_assert_max_num_queries(12):
        answer = client.post(link)
    assert b"You will not be written to again" in answer.content
    row = DoNotContact.objects.get()
    assert (bytes(row.contact), row.hint, row.origin) == (
        bytes(Action.objects.get().contact),
        "j…@acme.example",
        "unsubscribe",
    )
    entry = Entry.objects.get(verb="contact.suppressed")
    assert entry.actor == "recipient"
    assert b"acme" not in bytes(entry.body)


def test_a_mail_programs_one_click_needs_no_session_and_may_repeat(link, client):
    client.handler.enforce_csrf_checks = True
    for _ in range(3):
        answer = client.post(link, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert DoNotContact.objects.count() == 1
    assert Entry.objects.filter(verb="contact.suppressed").count() == 1


def test_a_token_that_was_not_made_here_does_nothing(link, client):
    for wrong in (link[:-3], link.replace("/unsubscribe/", "/unsubscribe/00"), "/unsubscribe/zz:yy"):
        assert client.get(wrong).status_code == 404
        assert client.post(wrong).status_code == 404
    assert not DoNotContact.objects.exists()
