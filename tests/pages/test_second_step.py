"""The second step of signing in, confirming, and where a person is signed in."""

import orjson
import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from audit.models import Entry
from console import second_step, sessions
from tests.conftest import PASSWORD
from tests.signing_in import code_of, fresh, recovery_codes, set_up_app, sign_in, stale

pytestmark = pytest.mark.django_db


def verbs() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("verb", flat=True))


@pytest.fixture
def secret(alice) -> str:
    """Alice's authenticator app."""
    return set_up_app(fresh(Client(), alice))


def test_the_app_s_code_is_asked_after_the_password_and_right_once(client, alice, secret):
    assert sign_in(client, alice)["Location"] == "/sign-in/code"
    assert client.get("/agents").status_code == 302, "the password alone opens nothing"
    code = code_of(secret)
    assert client.post("/sign-in/code", {"code": code})["Location"] == "/agents?owner=me"
    assert client.get("/agents").status_code == 200
    entry = Entry.objects.filter(verb="person.signed_in").latest("id")
    assert orjson.loads(bytes(entry.body))["detail"] == {"by": ["password", "totp"]}
    other = Client()
    sign_in(other, alice)
    assert other.post("/sign-in/code", {"code": code}).status_code == 200, "the same code a second time"


def test_a_recovery_code_gets_in_once_and_the_person_hears_of_it(
    client, alice, secret, django_capture_on_commit_callbacks
):
    code = recovery_codes(fresh_with(Client(), alice, secret))[0]
    sign_in(client, alice)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/sign-in/code", {"code": code}).status_code == 302
    assert mail.outbox[-1].to == [alice.email]
    assert "9 of them are left" in mail.outbox[-1].body
    other = Client()
    sign_in(other, alice)
    assert other.post("/sign-in/code", {"code": code}).status_code == 200


def fresh_with(client: Client, person, secret: str) -> Client:
    sign_in(client, person)
    assert client.post("/sign-in/code", {"code": code_of(secret)}).status_code == 302
    return client


def test_the_secret_is_sealed_where_it_is_kept(alice, secret):
    kept = Authenticator.objects.get(user=alice, type="totp")
    assert secret not in str(kept.data)
    assert second_step.decrypt(kept.data["secret"]) == secret


@pytest.mark.parametrize("code", ["000000", "0000 0000", "", "not a code", "１２３４５６", "9" * 5000])
def test_no_other_code_gets_in(client, alice, secret, code):
    sign_in(client, alice)
    assert client.post("/sign-in/code", {"code": code}).status_code == 200
    assert client.get("/agents").status_code == 302


def test_a_step_cannot_be_added_or_removed_without_confirming(client, alice, secret):
    stale(client, alice)
    kept = Authenticator.objects.get(user=alice, type="totp")
    for path in ("app", "codes", "passkey"):
        assert client.get(f"/settings/sign-in/{path}")["Location"] == f"/confirm?next=%2Fsettings%2Fsign-in%2F{path}"
    sent = client.post(f"/settings/sign-in/steps/{kept.pk}/remove", headers={"Referer": "http://testserver/runs"})
    assert sent["Location"] == "/confirm?next=%2Fsettings%2Fsign-in"
    assert Authenticator.objects.filter(pk=kept.pk).exists()
    assert client.post("/confirm", {"password": "not this one", "next": "/runs"}).status_code == 422
    back = client.post("/confirm", {"password": PASSWORD, "next": "/settings/sign-in"}, follow=True)
    assert back.redirect_chain == [("/settings/sign-in", 303)]
    assert "Nothing was done yet: press it once more." in back.content.decode()
    assert client.post(f"/settings/sign-in/steps/{kept.pk}/remove").status_code == 303
    assert not Authenticator.objects.filter(user=alice).exists(), "the recovery codes go with the last step"
    assert verbs()[-2:] == ["person.step_added", "person.step_removed"]


def test_confirming_with_a_code_and_never_leading_elsewhere(client, alice, secret):
    stale(client, alice)
    client.get("/settings/sign-in/codes")
    sent = client.post("/confirm", {"code": code_of(secret), "next": "//elsewhere.example/"})
    assert (sent.status_code, sent["Location"]) == (303, "/")
    assert len(recovery_codes(client)) == 10


def test_another_s_step_is_not_there_to_remove(client, alice, bob, secret):
    kept = Authenticator.objects.get(user=alice, type="totp")
    assert fresh(client, bob).post(f"/settings/sign-in/steps/{kept.pk}/remove").status_code == 404


@pytest.mark.parametrize("credential", ["[]", "{}", '{"id": 1}', '"x"', "null", "{", '{"response": "x"}', "[" * 3000])
def test_a_made_up_passkey_is_refused(client, alice, secret, credential):
    client.get("/sign-in/passkey", headers={"X-Requested-With": "XMLHttpRequest"})
    assert client.post("/sign-in/passkey", {"credential": credential})["Location"] == "/sign-in"
    sign_in(client, alice)
    assert client.post("/sign-in/code", {"credential": credential}).status_code == 200
    client.force_login(alice)
    assert client.post("/confirm", {"credential": credential}).status_code == 422
    assert fresh_with(Client(), alice, secret).post(
        "/settings/sign-in/passkey", {"name": "x", "credential": credential}
    ).status_code == 422  # fmt: skip


def test_sessions_are_listed_and_ended(client, alice):
    here, there = fresh(client, alice), Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    fresh(there, alice)
    assert [one.here for one in sessions.of(alice)] == [False, False]
    shown = here.get("/settings/sign-in").content.decode()
    assert "Firefox on Linux" in shown
    (other,) = [one for one in sessions.of(alice) if one.browser.startswith("Firefox")]
    here.post("/settings/sign-in/sessions/end", {"session": "9" * 5000})
    assert there.get("/runs").status_code == 200
    here.post("/settings/sign-in/sessions/end", {"session": other.pk})
    assert there.get("/runs").status_code == 302
    assert here.get("/runs").status_code == 200
    assert verbs()[-1] == "person.session_ended"


def test_another_s_session_cannot_be_ended(client, alice, bob):
    fresh(there := Client(), alice)
    (one,) = sessions.of(alice)
    fresh(client, bob).post("/settings/sign-in/sessions/end", {"session": one.pk})
    assert there.get("/runs").status_code == 200


def test_signing_someone_out_everywhere_voids_every_session_listed_or_not(alice):
    listed, unlisted = fresh(Client(), alice), Client()
    unlisted.force_login(alice)
    sessions.end_all(alice, actor="cli")
    assert [client.get("/runs").status_code for client in (listed, unlisted)] == [302, 302]
    assert fresh(Client(), alice).get("/runs").status_code == 200
    assert verbs()[-2:] == ["person.signed_out_everywhere", "person.signed_in"]


def test_what_matters_most_asks_again_who_one_is(person, bob):
    admin = person("Ada", role="admin")
    client = stale(Client(), admin)
    page = {"Referer": "http://testserver/people/7?x=1#y"}
    assert client.get("/people/new")["Location"] == "/confirm?next=%2Fpeople%2Fnew"
    for path in (f"/people/{bob.pk}", f"/people/{bob.pk}/link", f"/people/{bob.pk}/grant"):
        answer = client.post(path, {"role": "admin"}, headers=page)
        assert answer.status_code == 303, path
        assert answer["Location"] == "/confirm?next=%2Fpeople%2F7%3Fx%3D1", path
    bob.refresh_from_db()
    assert bob.role == "rep"
    assert client.post("/confirm", {"password": PASSWORD, "next": "/people/new"})["Location"] == "/people/new"
    assert client.get("/people/new").status_code == 200


def test_a_step_up_of_one_person_is_not_another_s(client, alice, bob):
    fresh(client, alice)
    client.post("/sign-out")
    assert stale(client, bob).get("/settings/tokens/new").status_code == 303


def test_a_fragment_is_led_to_confirm_as_a_whole_page(alice):
    sent = stale(Client(), alice).get("/settings/tokens/new", headers={"HX-Request": "true"})
    assert (sent.status_code, sent["HX-Redirect"]) == (204, "/confirm?next=%2Fsettings%2Ftokens%2Fnew")
