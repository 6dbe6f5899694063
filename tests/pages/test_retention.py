"""Retention and legal holds: everybody reads the page, admins change what it says, each change with its entry."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from django.db import connection

from agents.models import Account, Region, Segment
from agents.rules.canonical import identity_hash
from audit.age import Rule, bounds, ruled
from audit.holds import standing
from audit.ids import floor_id, new_id
from audit.models import Entry

pytestmark = pytest.mark.django_db
PLACE = "/audit/retention"


@pytest.fixture
def root(person):
    return person("Root", role="admin")


def test_only_admins_change_it(client, bob):
    client.force_login(bob)
    text = client.get(PLACE).content.decode()
    assert "No rule is set" in text
    assert "Set rules" not in text
    for place in (PLACE, f"{PLACE}/holds", f"{PLACE}/holds/1/release"):
        assert client.post(place, {"reason": "x"}).status_code == 403
    assert ruled().version == 0


def test_rules_are_set_with_a_reason_and_not_over_somebody_elses(client, root):
    client.force_login(root)
    form = {
        "seen": "0",
        "verbs": ["signal.", "", ""],
        "months": ["6", "24", ""],
        "then": ["drop", "archive", "archive"],
    }
    assert client.post(PLACE, form).status_code == 422
    assert client.post(PLACE, {**form, "reason": "Agreed", "months": ["x", "", ""]}).status_code == 422
    assert client.post(PLACE, {**form, "reason": "Agreed"}).status_code == 303
    assert set(ruled().rules) == {Rule("signal.", 6, archive=False), Rule("", 24)}
    answer = client.post(PLACE, {**form, "reason": "Again"})
    assert answer.status_code == 422
    assert "version 1 meanwhile" in answer.content.decode()
    text = client.get(PLACE).content.decode()
    assert "Not carried out yet" in text
    assert 'value="signal."' in text
    assert Entry.objects.get(verb="record.ruled").actor == root.actor


def test_a_hold_is_set_and_released_with_reasons(client, root):
    client.force_login(root)
    place = f"{PLACE}/holds"
    for kind in ("account", "agent"):
        answer = client.post(place, {"kind": kind, "key": "acme.com", "reason": "12/26"})
        assert (answer.status_code, f"There is no {kind} acme.com" in answer.content.decode()) == (422, True)
    places = {"region": Region.objects.create(code="r"), "segment": Segment.objects.create(code="s")}
    now = datetime.now(UTC)
    Account.objects.create(key="acme.com", name="Acme", first_seen=now, last_seen=now, **places)
    assert client.post(place, {"kind": "account", "key": "acme.com"}).status_code == 422
    assert client.post(place, {"kind": "period", "reason": "12/26"}).status_code == 422
    answer = client.post(place, {"kind": "account", "key": "acme.com", "since": "2026-05-01", "reason": "Case 12/26"})
    assert answer.status_code == 303
    (hold,) = standing()
    text = client.get(PLACE).content.decode()
    assert "account acme.com from 2026-05-01" in text
    assert "Case 12/26" in text
    assert client.post(f"{place}/{hold.id}/release").status_code == 422
    assert client.post(f"{place}/{hold.id}/release", {"reason": "Settled"}).status_code == 303
    assert client.post(f"{place}/{hold.id}/release", {"reason": "Settled"}).status_code == 409
    assert standing() == []
    verbs = Entry.objects.filter(subject=hold.reference).order_by("id").values_list("verb", "actor")
    assert list(verbs) == [("record.held", root.actor), ("record.released", root.actor)]


def test_a_hold_on_an_address_is_kept_by_its_hash(client, root, settings):
    client.force_login(root)
    posted = {"kind": "person", "key": "Kim@acme.example", "reason": "Case 13"}
    assert client.post(f"{PLACE}/holds", posted).status_code == 303
    (hold,) = standing()
    assert hold.key == identity_hash(settings.IDENTITY_KEY, "kim@acme.example").hex()
    assert not any(b"acme.example" in bytes(one.body) for one in Entry.objects.all())
    assert client.post(f"{PLACE}/holds", {**posted, "key": "Kim"}).status_code == 422


def test_what_went_by_rule_is_said_where_it_is_missed(client, root):
    month, gone = date(2025, 9, 1), floor_id(datetime(2025, 9, 3, tzinfo=UTC))
    low, high = bounds(month)
    with connection.cursor() as cursor:
        cursor.execute("insert into audit_leaf values (0, %s, %s)", [gone, bytes(32)])
        cursor.execute(
            "insert into audit_aged (month, verbs, months, archived, low, high, from_seq, to_seq, dropped, missing,"
            " root, file, sha256, entry) values (%s, '', 12, true, %s, %s, 0, 0, 1, 1, %s, 'a.gz', %s, %s)",
            [month, low, high, bytes(32), "ab" * 32, new_id()],
        )
    client.force_login(root)
    answer = client.get(f"/audit/{gone}")
    assert answer.status_code == 410
    assert "dropped by rule (all entries are written to a file and dropped after 12 months)" in answer.content.decode()
    assert client.get(f"/audit/{UUID(int=gone.int + 1)}").status_code == 404
    assert "1 entries of Sep 2025, in a.gz" in client.get("/audit").content.decode()
    assert "went by rule" not in client.get("/audit?since=2026-01-01T00:00").content.decode()
    assert "a.gz" in client.get(PLACE).content.decode()
