"""Accounts, a customer's person, and the do-not-contact list that the gate reads."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.changes.contact import contact_of, hint_of, import_addresses, suppress
from agents.models import Account, DoNotContact, Region, Segment
from audit.models import Entry
from tests.pages.arriving import arrive, event, source

pytestmark = pytest.mark.django_db

JO = "Jo@Acme.example"


@pytest.fixture
def olga(person):
    return person("Olga", role="ops")


def test_the_hash_is_that_of_the_signals_and_the_hint_is_not_the_address():
    assert contact_of(JO) == contact_of(" jo@acme.EXAMPLE ")
    assert hint_of(JO) == "j…@acme.example"


def test_an_account_shows_its_signals_even_before_any_run(client, charlie):
    key = "acme/north & south"
    arrive(source(), event(1, account=key))
    unassigned = {"region": Region.objects.get(code="unassigned"), "segment": Segment.objects.get(code="unassigned")}
    now = timezone.now()
    Account.objects.create(key=key, name="Acme North", first_seen=now, last_seen=now, **unassigned)
    client.force_login(charlie)
    page = client.get("/accounts?q=ACME")
    assert [row.name for row in page.context["rows"]] == ["Acme North"]
    with CaptureQueriesContext(connection) as queries:
        text = client.get("/accounts/acme/north%20&%20south").content.decode()
    assert len(queries) <= 12
    assert "No agent has handled it yet" in text
    assert "pricing_visit" in text
    assert client.get("/accounts/nobody").status_code == 404


class TestOnePerson:
    def test_is_put_on_the_list_and_taken_off_with_a_reason(self, client, olga):
        client.force_login(olga)
        hash = contact_of(JO).hex()
        assert client.post(f"/contacts/{hash}/suppress", {"reason": "Asked by phone"}).status_code == 303
        assert "Asked by phone" in client.get(f"/contacts/{hash}").content.decode()
        answer = client.post(f"/contacts/{hash}/release", {"reason": " "})
        assert answer.status_code == 422
        assert "Say why" in answer.content.decode()
        assert DoNotContact.objects.count() == 1
        client.post(f"/contacts/{hash}/release", {"reason": "Asked us to write again"})
        assert not DoNotContact.objects.exists()
        found = Entry.objects.filter(subject=f"contact:{hash}").order_by("id")
        assert [(one.verb, one.actor) for one in found] == [
            ("contact.suppressed", olga.actor),
            ("contact.released", olga.actor),
        ]

    def test_a_rep_may_add_but_not_take_off_and_an_auditor_only_looks(self, client, bob, charlie):
        hash = contact_of(JO).hex()
        client.force_login(charlie)
        assert client.post(f"/contacts/{hash}/suppress").status_code == 403
        assert client.get(f"/contacts/{hash}").status_code == 200
        client.force_login(bob)
        assert client.post(f"/contacts/{hash}/suppress").status_code == 303
        assert client.post(f"/contacts/{hash}/release", {"reason": "why not"}).status_code == 403
        assert DoNotContact.objects.count() == 1

    @pytest.mark.parametrize("hash", ["xyz", "00", "0" * 31])
    def test_what_is_no_hash_is_not_found(self, client, charlie, hash):
        client.force_login(charlie)
        assert client.get(f"/contacts/{hash}").status_code == 404


class TestTheList:
    def test_an_import_counts_names_lines_and_writes_no_address(self, client, olga):
        contact = contact_of("known@list.example")
        suppress(contact, hint="k", origin=DoNotContact.Origin.PERSON, actor=olga.actor)
        text = "Name;E-Mail\nA;a@list.example\nB;KNOWN@list.example\n;\nC;no address\nD;A@list.example\n"
        client.force_login(olga)
        file = SimpleUploadedFile("list.csv", b"\xef\xbb\xbf" + text.encode())
        answer = client.post("/do-not-contact/import", {"file": file, "reason": "Fair"})
        assert answer.status_code == 303
        page = client.get(answer["Location"])
        assert page.context["result"] == {"added": 1, "already": 2, "invalid": 1, "lines": [[5, "no address"]]}
        assert "a@list.example" not in page.content.decode()
        written = b"".join(bytes(one.body) for one in Entry.objects.filter(verb="contact.suppressed"))
        assert b"@" not in written.replace(b"person:", b"")
        assert DoNotContact.objects.get(pk=contact_of("a@list.example")).reason == "Fair"

    def test_an_import_that_breaks_off_leaves_nothing(self, olga, monkeypatch):
        monkeypatch.setattr("agents.changes.contact.MOST", 3)
        with pytest.raises(Exception, match="At most 3"):
            import_addresses("a@b.example\nc@b.example\nd@b.example\ne@b.example\n", actor=olga.actor)
        assert not DoNotContact.objects.exists()

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a\0b@x.example\n"open'])
    def test_a_file_that_is_none_is_an_error_beside_it_never_a_crash(self, client, olga, content):
        client.force_login(olga)
        answer = client.post("/do-not-contact/import", {"file": SimpleUploadedFile("x.csv", content)})
        assert answer.status_code in (303, 422)
        assert not DoNotContact.objects.exists()

    def test_one_is_added_found_by_whole_address_and_pages_go_on(self, client, olga):
        client.force_login(olga)
        import_addresses("\n".join(f"p{n}@list.example" for n in range(60)), actor=olga.actor)
        assert client.post("/do-not-contact/add", {"email": "nope"}).status_code == 422
        assert client.post("/do-not-contact/add", {"email": JO, "reason": "Said so"}).status_code == 303
        with CaptureQueriesContext(connection) as queries:
            first = client.get("/do-not-contact").context["rows"]
            seen = [row.pk for row in first]
        assert len(queries) <= 12
        second = client.get("/do-not-contact", {"before": first.older}).context["rows"]
        seen += [row.pk for row in second]
        assert (len(seen), len({bytes(one) for one in seen})) == (61, 61)
        assert [row.hint for row in client.get("/do-not-contact", {"q": JO}).context["rows"]] == ["j…@acme.example"]
        assert len(client.get("/do-not-contact", {"q": "acme"}).context["rows"]) == 0
