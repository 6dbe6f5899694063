"""Where `next` leads: to a path of ours, else to where nobody asked for any."""

import pytest

from tests.conftest import PASSWORD
from tests.signing_in import fresh

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ELSEWHERE = (
    *("abc", "abc:def", "2026-01-01T00:00", "javascript:1", " /runs", "http://testserver/runs", "https:/x", "http://["),
    *("//[", "//x", "///x", "/\\x", "\\\\x", "/a\nb", "/a\tb", "/a\x7fb", "/a\x85b", "x" * 3000),
)
OURS = {
    "/runs?state=failed#x": "/runs?state=failed#x",
    "/inbox//7": "/inbox//7",
    "/[": "/[",
    "/search?q=Zoë": "/search?q=Zo%C3%AB",
    "/a:b": "/a:b",
}
LEADS = [*((then, "") for then in ELSEWHERE), *OURS.items()]


@pytest.mark.parametrize(("then", "leads"), LEADS)
def test_from_a_confirmation_or_a_form(client, alice, then, leads):
    fresh(client, alice)
    for ask in (client.get, client.post):
        assert ask("/confirm", {"password": PASSWORD, "next": then})["Location"] == (leads or "/")
    assert client.post("/confirm", {"password": PASSWORD, "next": then}, headers=HTMX)["HX-Redirect"] == (leads or "/")
    assert client.post("/settings/look", {"theme": "dark", "next": then})["Location"] == (leads or "/settings")


@pytest.mark.parametrize(("then", "leads"), LEADS)
def test_from_signing_in_and_out(client, alice, then, leads):
    given = {"username": alice.email, "password": PASSWORD, "next": then}
    assert client.post("/sign-in", given)["Location"] == (leads or "/agents?owner=me")
    assert client.get("/sign-in", {"next": then})["Location"] == (leads or "/agents?owner=me")
    assert client.post("/sign-out", {"next": then})["Location"] == (leads or "/sign-in")
    assert client.get("/sign-in", {"next": then}).status_code == 200


@pytest.mark.parametrize("path", ["/confirm", "/settings/look", "/sign-in", "/sign-out"])
def test_half_a_character_or_none_is_no_failure(client, alice, path):
    fresh(client, alice)
    form = "application/x-www-form-urlencoded"
    for sent in (b"next=%00", b"next=/%00", b"next=/%ED%A0%80", b"next=/%FF", b"next=%2F%0D%0AX:1"):
        assert client.generic("POST", path, b"password=x&" + sent, content_type=form).status_code < 500
