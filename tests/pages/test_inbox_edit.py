"""Edit and approve: what changes is shown first, and only what the clause lets be edited is."""

import pytest

from approvals.models import Approval
from tests.deciding import action_of, furnish

TEXT = "Hello Jo,\n\nshall we talk on Friday?\n\nAlice"


@pytest.fixture
def world(alice, workspace):
    spec = {"clauses": [{"id": "mails-ask", "say": "ask", "note": "every first mail", "editable": ["subject", "text"]}]}
    return furnish(alice, spec=spec)


def form(one, **fields):
    given = {f"field:{path}": text for path, text in fields.items()}
    return {"binding": bytes(one.binding).hex(), "from": "question", **given}


def test_the_difference_is_shown_before_and_nothing_changes_by_looking(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    page = client.get(f"/inbox/{one.pk}/edit").content.decode()
    assert 'name="field:text"' in page
    assert 'name="field:to"' not in page
    for headers in ({}, {"HX-Request": "true", "HX-Target": "changes"}):
        sent = {**form(one, subject="Your team", text=TEXT), "show": "1"}
        page = client.post(f"/inbox/{one.pk}/edit", sent, headers=headers).content.decode()
        assert "<ins>Friday</ins>" in page or "Friday" in page.partition('id="changes"')[2]
        assert "<del>" in page
    one.refresh_from_db()
    assert one.state == "waiting"
    assert "I saw that you looked" in str(one.question["payload"])


def test_what_was_edited_leaves_as_edited_and_the_difference_is_kept(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    sent = form(one, subject="Your team", text=TEXT.replace("\n", "\r\n"), to="me@elsewhere.example")
    assert client.post(f"/inbox/{one.pk}/edit", sent).status_code == 303
    one.refresh_from_db()
    action = action_of(one)
    assert (one.state, action.state) == ("approved", "ready")
    assert (action.document["subject"], action.document["text"]) == ("Your team", TEXT)
    assert action.document["to"] == "jo@acme.example", "no field but those of the clause"
    page = client.get(f"/inbox/{one.pk}").content.decode()
    assert "Edited by Bob" in page
    assert "<ins>" in page


def test_what_does_not_hold_is_said_beside_it_and_an_old_form_is_refused(world, client, bob):
    (one,) = world.ask()
    client.force_login(bob)
    old = {**form(one, subject="Your team", text=TEXT), "binding": "00" * 32}
    assert client.post(f"/inbox/{one.pk}/edit", old).status_code == 412
    assert client.post(f"/inbox/{one.pk}/edit", form(one, subject="", text="")).status_code == 422
    one.refresh_from_db()
    assert one.state == "waiting"


def test_at_high_risk_it_is_asked_anew_of_somebody_else(world, client, bob):
    (one,) = world.ask()
    Approval.objects.filter(pk=one.pk).update(risk="high")
    client.force_login(bob)
    assert "asked anew, of somebody else" in client.get(f"/inbox/{one.pk}/edit").content.decode()
    assert client.post(f"/inbox/{one.pk}/edit", form(one, subject="Your team", text=TEXT)).status_code == 303
    new = Approval.objects.get(supersedes=one)
    assert (new.state, new.question["payload"]["subject"]) == ("waiting", "Your team")
    assert f'href="/inbox/{new.pk}"' in client.get(f"/inbox/{one.pk}").content.decode()
    assert f"ask-{new.pk}" not in client.get("/inbox").content.decode(), "who edited does not approve it"
