"""The page on which an admin erases a person: it says what goes, what stays, and what it can't reach."""

import pytest

from agents.changes.contact import contact_of
from agents.erasure import erase, erased_at
from agents.loop.decide import decide
from agents.loop.hot import hot
from agents.models import Action, Signal
from audit.models import Entry
from tests import making
from tests.pages.arriving import arrive, event, source

EMAIL = "jo@acme.example"
HASH = contact_of(EMAIL).hex()
PAGE = f"/contacts/{HASH}/erase"


@pytest.fixture
def admin(workspace, person):
    return person("Ada", role="admin")


@pytest.fixture
def known(workspace, alice):
    """Jo, about whom an agent asks."""
    hot.close()
    made = source()
    making.agent(
        making.play(making.sandbox(), payload={"to": "{{ signal.email }}", "text": "Hi"}), alice, policy=making.ASK
    )
    arrive(made, event(1, name="Jo Quill"))
    decide(hot)
    assert Action.objects.get().state == "waiting"
    yield Signal.objects.get()
    hot.close()


def test_it_says_what_would_go_and_changes_nothing(client, admin, known):
    client.force_login(admin)
    text = client.get(PAGE).content.decode()
    assert "Backups and exports made before still hold them" in text
    assert "1 action to them that has not left yet is withdrawn" in text
    assert "They are not on the do-not-contact list" in text
    assert Signal.objects.get().email == EMAIL
    assert PAGE in client.get(f"/contacts/{HASH}").content.decode()


def test_it_erases_with_a_reason_and_says_so_ever_after(client, admin, known):
    client.force_login(admin)
    client.get(PAGE)
    answer = client.post(PAGE, {"reason": " "})
    assert (answer.status_code, Signal.objects.get().email) == (422, EMAIL)
    answer = client.post(PAGE, {"reason": "Jo Quill wrote"})
    assert (answer.status_code, "no name" in answer.content.decode() or "not a name" in answer.content.decode()) == (
        422,
        True,
    )
    answer = client.post(PAGE, {"reason": "Ticket 7"})
    assert (answer.status_code, answer["Location"]) == (303, f"/contacts/{HASH}")
    assert (Signal.objects.get().email, Action.objects.get().state) == ("", "withdrawn")
    assert Entry.objects.get(verb="person.erased").actor == admin.actor
    for address in (
        f"/contacts/{HASH}",
        PAGE,
        f"/runs/{Action.objects.get().run_id}",
        f"/signals/{known.pk}",
        "/audit",
    ):
        text = client.get(address).content.decode()
        assert EMAIL not in text
        assert "Jo Quill" not in text
    assert "Erased" in client.get(f"/contacts/{HASH}").content.decode()
    assert "Nothing is known of them" in client.get(PAGE).content.decode()


def test_only_an_admin_and_only_after_showing_who_they_are(client, admin, bob, person, known):
    for one in (bob, person("Olga", role="ops")):
        client.force_login(one)
        assert client.get(PAGE).status_code == 403
        assert client.post(PAGE, {"reason": "Ticket 7"}).status_code == 403
    client.force_login(admin)
    session = client.session
    session["signed_in_at"] = 0
    session["account_authentication_methods"] = []
    session.save()
    assert client.post(PAGE, {"reason": "Ticket 7"})["Location"].startswith("/confirm")
    assert erased_at(bytes.fromhex(HASH)) is None


def test_what_is_in_flight_is_settled_first(client, admin, known):
    Action.objects.update(state="unknown")
    client.force_login(admin)
    text = client.get(PAGE).content.decode()
    assert "settle those first" in text
    assert "Erase for good" not in text
    assert client.post(PAGE, {"reason": "Ticket 7"}).status_code == 422


def test_the_record_shows_what_was_said_until_then(client, admin, known):
    client.force_login(admin)
    assert EMAIL in client.get("/audit").content.decode()
    erase(bytes.fromhex(HASH), actor="cli", reason="Ticket 7")
    text = client.get("/audit").content.decode()
    assert EMAIL not in text
    assert "(erased)" in text


@pytest.mark.parametrize("hash", ["xyz", "00"])
def test_what_is_no_hash_is_not_found(client, admin, hash):
    client.force_login(admin)
    assert client.get(f"/contacts/{hash}/erase").status_code == 404
