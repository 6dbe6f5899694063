"""Signing in and confirming in a real browser, with a real passkey, and without JavaScript."""

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from console import step_up
from tests.browser.conftest import PHONE
from tests.conftest import PASSWORD
from tests.signing_in import code_of

pytestmark = pytest.mark.browser


@pytest.fixture
def at_home(site, live_web) -> Callable[..., Page]:
    """As `site`, but at localhost: no browser lets a passkey be used at an IP address."""
    home = live_web.url.replace("127.0.0.1", "localhost")
    return lambda path, **options: site(f"{home}{path}", role=None, **options)


def enter(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def give_device(page: Page) -> str:
    """A device that makes and keeps passkeys, and always knows its owner; its id."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    return devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_a_passkey_is_added_and_signs_in_without_a_password(at_home, person):
    ada = person("Ada", role="admin")
    page = at_home("/sign-in?next=/settings/sign-in/passkey", failing=(401,))
    give_device(page)
    enter(page, ada.email)
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert len(re.findall(r"\d{4} \d{4}", page.locator("pre").inner_text())) == 10
    page.goto(page.url.removesuffix("/codes"))
    expect(page.get_by_text("Passkey “Laptop”")).to_be_visible()

    sign_out(page)
    sign_in_by_passkey(page)
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Sign in")

    sign_out(page)
    enter(page, ada.email)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/")

    age_sessions()
    page.goto("/".join([*page.url.split("/")[:3], "settings/tokens/new"]))
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Make a token")).to_be_visible()


def sign_in_by_passkey(page: Page) -> None:
    """Try again, as the page says, should it be refused the first time: on a busy machine it sometimes is."""
    for _ in range(3):
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_load_state("networkidle")
        if not page.url.endswith("/sign-in"):
            return
    raise AssertionError(page.locator("main").inner_text())


def age_sessions() -> None:
    """As if everyone had signed in long ago."""
    for kept in Session.objects.all():
        store = SessionStore(kept.session_key)
        store.update({step_up.SIGNED_IN: 0, "account_authentication_methods": []})
        store.save()


def sign_out(page: Page) -> None:
    """And open the sign-in page anew, so that nothing the page before still asked for takes the passkey's challenge."""
    page.get_by_role("button", name="settings and sign-out").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in")
    page.wait_for_load_state("networkidle")
    page.goto(page.url)
    page.wait_for_load_state("networkidle")


def test_a_device_that_knows_no_passkey_says_so(at_home):
    page = at_home("/sign-in")
    give_device(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("No passkey was used. Try again, or use another way.")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_an_app_is_set_up_asked_for_and_confirms_on_a_phone(site, person, script):
    ada = person("Ada", role="admin")
    page = site("/sign-in?next=/settings/sign-in/app", role=None, size=PHONE, script=script, failing=(422,))
    enter(page, ada.email)
    secret = page.locator("pre").inner_text().replace(" ", "")
    assert page.locator("img.qr").bounding_box()["width"] <= PHONE[0]
    page.get_by_label("The code it shows").fill(code_of(secret, steps=-1))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = re.findall(r"\d{4} \d{4}", page.locator("pre").inner_text())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    page.context.clear_cookies()
    page.goto("/sign-in")
    enter(page, ada.email)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_have_count(0)

    page.goto("/confirm?next=/settings/tokens")
    expect(page).to_have_url(re.compile("/settings/tokens$"))
