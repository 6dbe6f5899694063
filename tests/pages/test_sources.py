"""Sources: made, keyed, signed for, and their mapping tried out on what came before it is saved."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.changes.seen import token
from agents.models import Segment, Source
from audit.models import Entry
from tests.making import region
from tests.pages.arriving import arrive, event, source

pytestmark = pytest.mark.django_db


@pytest.fixture
def eve(person):
    return person("Eve", role="engineer")


@pytest.fixture
def web(db):
    return source()


def entries(slug="website"):
    return list(Entry.objects.filter(subject=f"source:{slug}").order_by("id"))


def test_a_new_source_has_a_key_and_a_page_that_says_how_to_send(client, eve, settings):
    client.force_login(eve)
    answer = client.post("/sources/new", {"name": "Web shop", "rate_limit": "50"})
    assert (answer.status_code, answer["Location"]) == (303, "/sources/web-shop")
    made = Source.objects.get(slug="web-shop")
    page = client.get("/sources/web-shop").content.decode()
    assert page.count(made.key) >= 5
    assert f"{settings.BASE_URL}/in/web-shop" in page
    assert [entry.verb for entry in entries("web-shop")] == ["source.created"]
    assert made.key.encode() not in bytes(entries("web-shop")[0].body)


def test_what_does_not_hold_is_said_beside_the_field(client, eve, web):
    client.force_login(eve)
    answer = client.post("/sources/new", {"name": "Website", "rate_limit": "-1"})
    assert answer.status_code == 422
    form = answer.content.decode()
    assert "Source with this Slug already exists" in form or "already exists" in form
    assert 'href="#id_rate_limit"' in form


@pytest.mark.parametrize(
    ("said", "why"), [({"name": "日本"}, "Write one in lower-case"), ({"name": "Shop", "slug": "new"}, "is taken by")]
)
def test_an_address_that_cannot_be_is_refused_beside_its_field(client, eve, said, why):
    client.force_login(eve)
    answer = client.post("/sources/new", {**said, "rate_limit": "50"})
    assert answer.status_code == 422
    assert why in answer.context["form"].errors["slug"][0]
    assert not Source.objects.exists()


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("engineer", True), ("ops", False), ("rep", False)])
def test_the_key_and_its_changes_are_for_those_who_connect(client, person, web, role, may):
    client.force_login(person("Someone", role=role))
    assert (web.key in client.get("/sources/website").content.decode()) is may
    for path in ("/sources/new", "/sources/website/settings", "/sources/website/key"):
        assert client.get(path).status_code == (200 if may else 403)
    for path in ("key", "secrets/add", "secrets/remove"):
        assert client.post(f"/sources/website/{path}").status_code == (303 if may else 403)


def test_a_secret_is_shown_once_counts_beside_the_old_and_can_go(client, eve, web):
    client.force_login(eve)
    for _ in range(2):
        client.post("/sources/website/secrets/add")
    web.refresh_from_db()
    first, second = web.secrets["signing"]
    assert first.startswith("whsec_")
    assert second in client.get("/sources/website").content.decode()
    again = client.get("/sources/website").content.decode()
    assert second not in again
    assert second[-6:] in again
    client.post("/sources/website/secrets/remove", {"ending": first[-6:]})
    web.refresh_from_db()
    assert web.secrets["signing"] == [second]
    written = b"".join(bytes(entry.body) for entry in entries())
    assert first.encode() not in written
    assert second.encode() not in written
    assert [entry.verb for entry in entries()[1:]] == ["source.secret_added"] * 2 + ["source.secret_removed"]


def test_signed_only_needs_a_secret_and_keeps_the_last(client, eve, web):
    client.force_login(eve)
    said = {"name": "Website", "rate_limit": "0", "is_active": "on", "signed_only": "on"}
    answer = client.post("/sources/website/settings", said)
    assert answer.status_code == 422
    assert "Add a signing secret first" in answer.content.decode()
    client.post("/sources/website/secrets/add", {"secret": "whsec_c2VjcmV0c2VjcmV0"})
    assert client.post("/sources/website/settings", said).status_code == 303
    answer = client.post("/sources/website/secrets/remove", {"ending": "NyZXQw"[:6]})
    web.refresh_from_db()
    ending = web.secrets["signing"][0][-6:]
    answer = client.post("/sources/website/secrets/remove", {"ending": ending})
    assert answer.status_code == 422
    assert "before the last one goes" in answer.content.decode()


def test_two_people_at_once_the_second_is_told_who_was_first(client, eve, alice, web):
    client.force_login(eve)
    page = client.get("/sources/website/mapping").content.decode()
    seen = page.split('name="seen" value="')[1].split('"')[0]
    assert seen == token(web.mapping)
    alike = {"as": "json", "do": "save", "seen": seen}
    assert client.post("/sources/website/mapping", {**alike, "raw": '{"account": "shop"}'}).status_code == 303
    answer = client.post("/sources/website/mapping", {**alike, "raw": "{}"})
    assert answer.status_code == 412
    assert "Eve changed this" in answer.content.decode()
    assert Source.objects.get().mapping == {"account": "shop"}


class TestMapping:
    @pytest.fixture(autouse=True)
    def signals(self, web, client, eve):
        Segment.objects.create(code="enterprise", name="Enterprise")
        arrive(web, event(1, company={"id": "globex", "staff": 2000}), {"id": "evt-2", "company": {"id": "initech"}})
        client.force_login(eve)

    def rows(self, **said):
        blank = {"as": "rows", "rule-0-field": "", "rule-0-op": "exists", "rule-0-value": "", "rule-0-segment": ""}
        return {**blank, **said}

    def test_is_tried_on_what_came_beside_the_one_in_force_and_changes_nothing(self, client, web):
        said = self.rows(account="company.id", do="try", **{
            "rule-0-field": "company.staff", "rule-0-op": "gte", "rule-0-value": "1000", "rule-0-segment": "enterprise",
        })  # fmt: skip
        text = client.post("/sources/website/mapping", said).content.decode()
        assert "2 of 2 understood, 1 by the mapping in force" in text
        assert "<del>acme.example</del> <ins>globex</ins>" in text
        assert "<ins>enterprise</ins>" in text
        assert "Understood now" in text
        assert Source.objects.get().mapping == {}
        assert len(entries()) == 1

    def test_a_region_or_segment_nobody_knows_is_refused_by_its_name(self, client):
        said = self.rows(do="save", region_map="DE = emea/de", segment_map="* = whales")
        answer = client.post("/sources/website/mapping", said)
        assert answer.status_code == 422
        errors = answer.context["form"].errors
        assert "'emea/de' is not a known region" in errors["region_map"][0]
        assert "'whales' is not a known segment" in errors["segment_map"][0]
        raw = '{"region_map": {"DE": "emea/de"}}'
        answer = client.post("/sources/website/mapping", {"as": "json", "raw": raw, "do": "save"})
        assert answer.status_code == 422
        assert "is not a known region" in answer.content.decode()
        assert Source.objects.get().mapping == {}

    def test_is_saved_with_its_entry_and_shown_as_rows_again(self, client, web):
        region("emea/de")
        said = self.rows(
            do="save", account="company.id\naccount", segment="-", person="first + last",
            fields_="staff = company.staff", region_map="DE = emea/de\n* = unassigned",
            **{"rule-0-field": "fields.staff", "rule-0-op": "in", "rule-0-value": "1, two, true",
               "rule-0-segment": "enterprise"},
        )  # fmt: skip
        assert client.post("/sources/website/mapping", said).status_code == 303
        mapping = Source.objects.get().mapping
        assert mapping == {
            "account": ["company.id", "account"],
            "segment": None,
            "person": {"join": ["first", "last"]},
            "fields": {"staff": "company.staff"},
            "region_map": {"DE": "emea/de", "*": "unassigned"},
            "segment_rules": [
                {
                    "condition": {"field": "fields.staff", "op": "in", "value": [1, "two", True]},
                    "segment": "enterprise",
                }
            ],
        }
        assert entries()[-1].verb == "source.mapped"
        form = client.get("/sources/website/mapping").context["form"]
        assert (form["account"].value(), form["segment"].value()) == ("company.id\naccount", "-")
        assert (form["person"].value(), form["rule-0-value"].value()) == ("first + last", "1, two, true")

    def test_a_faulty_path_is_named_in_its_row_and_not_saved(self, client):
        answer = client.post("/sources/website/mapping", self.rows(do="save", email="what is this("))
        assert answer.status_code == 422
        assert "is not a path" in answer.context["form"].errors["email"][0]
        answer = client.post(
            "/sources/website/mapping",
            self.rows(do="save", **{"rule-0-field": "staff", "rule-0-op": "gte", "rule-0-value": "many"}),
        )
        assert "rule-0-value" in answer.context["form"].errors
        assert Source.objects.get().mapping == {}

    @pytest.mark.parametrize("raw", ["{", "[]", '{"nonsense": 1}', '{"account": "(("}', '{"segment_rules": 3}'])
    def test_json_that_is_no_mapping_is_refused_with_why(self, client, raw):
        answer = client.post("/sources/website/mapping", {"as": "json", "raw": raw, "do": "save"})
        assert answer.status_code == 422
        assert "This mapping cannot be used" in answer.content.decode()
        assert Source.objects.get().mapping == {}

    def test_conditions_that_rows_cannot_show_are_edited_as_json(self, client, web):
        rule = {"condition": {"all": [{"field": "a", "op": "exists"}]}, "segment": "enterprise"}
        raw = json.dumps({"segment_rules": [rule]})
        assert client.post("/sources/website/mapping", {"as": "json", "raw": raw, "do": "save"}).status_code == 303
        page = client.get("/sources/website/mapping")
        assert page.context["form"] is None
        assert "cannot show" in page.content.decode()

    def test_a_payload_of_ones_own_comes_first(self, client):
        said = self.rows(do="try", sample='{"id": "mine", "account": "own.example"}', sample_format="json")
        tried = client.post("/sources/website/mapping", said).context["tryout"].tried
        assert (tried[0].new.external_id, len(tried)) == ("mine", 3)


def test_the_list_counts_and_costs_the_same_for_many(client, eve, web):
    for n in range(30):
        source(f"more-{n}")
    arrive(web, *[event(n) for n in range(5)], {"id": "no-account"})
    client.force_login(eve)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = client.get("/sources")
    assert len(queries) <= 12
    figures = {row.slug: figures for row, figures in page.context["rows"]}
    assert (figures["website"].day, figures["website"].dead, figures["more-3"].day) == (5, 1, 0)
