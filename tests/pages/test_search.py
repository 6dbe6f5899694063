"""Search: what a person may see, by name, by id, by the sender's own id, at a cost that does not grow."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents.loop.intake import external_hash
from agents.models import Account, Seen
from audit.models import Entry
from console.views.search import begins
from tests.deciding import action_of, furnish


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def hrefs(client, text):
    answer = client.get("/search", {"q": text}, headers={"HX-Request": "true", "HX-Target": "found"})
    assert answer.status_code == 200
    return [part.split('"')[0] for part in answer.content.decode().split('<a href="')[1:]]


def test_names_lead_to_their_pages(world, client, bob):
    world.ask()
    client.force_login(bob)
    assert hrefs(client, "inbound") == ["/agents/inbound-intent"]
    assert hrefs(client, "Websi") == ["/sources/web"]
    assert hrefs(client, "ACME.ex") == hrefs(client, "acme") == ["/accounts/acme.example"]
    assert "/audit" in hrefs(client, "audi")
    assert hrefs(client, "nothing is called so") == []


def test_accounts_are_found_in_any_case_by_an_index(world, client, bob):
    world.ask(account="ACME-1")
    client.force_login(bob)
    for text in ("ACME", "acme-", "Acme"):
        assert "/accounts/ACME-1" in hrefs(client, text)
        assert "/accounts/ACME-1" in client.get("/accounts", {"q": text}).content.decode()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "agents_account_key_upper" in Account.objects.filter(begins("acme")).order_by().explain()


def test_an_id_leads_to_what_bears_it(world, client, bob):
    (one,) = world.ask()
    action = action_of(one)
    entry = Entry.objects.get(verb="action.asked")
    client.force_login(bob)
    assert hrefs(client, str(one.pk)) == [f"/inbox/{one.pk}"]
    assert hrefs(client, str(action.pk)) == [f"/runs/{action.run_id}#action-{action.pk}"]
    assert hrefs(client, str(action.run_id)) == [f"/runs/{action.run_id}"]
    assert hrefs(client, str(entry.id)) == [f"/audit/{entry.id}"]
    Seen.objects.create(
        source_id=world.source.pk,
        hash=external_hash(world.source.pk, "evt-9").hex(),
        content=1,
        signal_id=action.run.signal_id,
    )
    assert hrefs(client, "evt-9") == [f"/signals/{action.run.signal_id}"]
    assert hrefs(client, "evt-") == []


def test_costs_at_most_eight_queries_besides_signing_in(world, client, bob):
    client.force_login(bob)
    for text in ("inbound", "01890000-0000-7000-8000-000000000000", "evt-9"):
        with CaptureQueriesContext(connection) as captured:
            hrefs(client, text)
        assert len(captured) <= 10, [one["sql"][:80] for one in captured]


def test_a_stranger_finds_nothing(world, client):
    assert client.get("/search", {"q": "inbound"}).status_code == 302
