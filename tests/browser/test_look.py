"""The look: what every page stands on, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from agents.models import Pause
from tests.browser.conftest import DESK, PHONE

pytestmark = pytest.mark.browser


def serious(page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:90]}" for one in found if one["impact"] in ("serious", "critical")]


def test_every_component_is_readable_and_fits(site):
    page = site("/styleguide")
    for width, height in (DESK, PHONE, (320, 640)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"overflows at {width} px"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert serious(page) == [], f"{width} px, {scheme}"


def test_a_form_that_does_not_hold_says_so_where_the_person_looks(site):
    page = site("/styleguide", failing=(422,))
    page.get_by_role("button", name="Save").click()
    page.locator("#sample .trouble:focus", has_text="3 things to mend").wait_for()
    page.get_by_role("link", name="Name", exact=True).click()
    assert page.evaluate("document.activeElement.name") == "name"
    assert "required" in page.locator("#id_name_error").inner_text()


def test_a_dialog_opens_in_place_and_gives_the_focus_back(site):
    page = site("/styleguide")
    page.get_by_role("link", name="Pause agent").click()
    page.locator("#dialog").get_by_role("button", name="Pause EMEA").wait_for()
    page.keyboard.press("Escape")
    assert not page.locator("#dialog").is_visible()
    assert "Pause agent" in page.evaluate("document.activeElement.textContent")


def test_keys_walk_rows_search_and_can_be_switched_off(site):
    page = site("/styleguide")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") == "agent-2"
    page.keyboard.press("Control+k")
    page.locator("#palette input").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.goto("/settings")
    page.get_by_label("Keys (").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").get_by_text("Saved.").wait_for()
    page.keyboard.press("?")
    assert not page.locator("#keys").is_visible()


def test_theme_is_the_persons_and_holds(site):
    page = site("/styleguide", scheme="light")
    page.get_by_role("button", name="settings and sign-out").click()
    page.get_by_role("button", name="Dark").click()
    page.wait_for_load_state()
    assert page.url.endswith("/styleguide")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_polling_asks_with_the_etag_and_keeps_what_is_there(site):
    page = site("/styleguide")
    statuses = page.evaluate(
        """async () => {
            const htmx = {"HX-Request": "true"};
            const ask = (etag) => fetch("/search?q=set", {headers: etag ? {...htmx, "If-None-Match": etag} : htmx});
            const first = await ask();
            return [first.status, (await ask(first.headers.get("ETag"))).status];
        }"""
    )
    assert statuses == [200, 304]


def test_sign_in_says_what_is_wrong_and_locks_after_ten(site, alice):
    page = site("/sign-in", role=None, failing=(429,))
    assert serious(page) == []
    for _ in range(10):
        page.get_by_label("E-mail").fill(alice.email)
        page.get_by_label("Password").fill("not this one")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()
    assert page.get_by_role("heading", name="Too many wrong tries").is_visible()


def test_without_javascript_a_dialog_link_is_a_page(site):
    page = site("/settings", script=False)
    page.get_by_role("link", name="Change your password").click()
    assert page.get_by_role("heading", name="Change your password").is_visible()


def test_a_missing_page_and_a_closed_one_are_in_the_look(site):
    page = site("/nothing-here", failing=(404,))
    assert page.get_by_role("heading", name="Nothing at this address").is_visible()
    page = site("/styleguide", role="rep", failing=(403,))
    assert page.get_by_role("heading", name="Not yours to see or do").is_visible()


def test_a_stranger_is_sent_to_sign_in_and_a_missing_page_tells_them_nothing(site):
    page = site("/settings", role=None, failing=(404,))
    assert "/sign-in?next=/settings" in page.url
    page.goto("/nothing-here")
    assert page.get_by_role("heading", name="Nothing at this address").is_visible()
    assert page.get_by_role("navigation", name="Main").count() == 0


def queue(*names: str) -> str:
    rows = "".join(
        f'<li id="q-{name}" data-row>'
        f'<button hx-post="/decided" hx-target="#queue" hx-swap="morph">Approve {name}</button>'
        f'<details id="more-{name}"><summary>More</summary>{len(names)} left</details></li>'
        for name in names
    )
    return f'<ul id="queue" class="rows">{rows}</ul>'


def test_a_decided_row_hands_the_focus_to_the_next_and_folds_stay_open(site):
    page = site("/settings")
    page.evaluate(
        "html => { main.insertAdjacentHTML('beforeend', html); htmx.process(main); }", queue("one", "two", "three")
    )
    page.route("**/decided", lambda route: route.fulfill(body=queue("one", "three"), content_type="text/html"))
    page.locator("#more-three summary").click()
    page.get_by_role("button", name="Approve two").click()
    page.locator("#q-three:focus").wait_for()
    assert page.locator("#more-three").get_attribute("open") is not None
    assert "2 left" in page.locator("#more-three").inner_text()


def test_an_answer_that_fails_is_told_in_the_status_region(site):
    page = site("/settings", failing=(403,))
    page.evaluate("html => { main.insertAdjacentHTML('beforeend', html); htmx.process(main); }", queue("one"))
    page.route(
        "**/decided", lambda route: route.fulfill(status=403, body="<h1>Not yours to do</h1><p>Ask an admin.</p>")
    )
    page.get_by_role("button", name="Approve one").click()
    page.get_by_role("status").get_by_text("Not yours to do. Ask an admin.").wait_for()


def test_a_pause_is_named_on_an_open_page_without_reload(site):
    page = site("/settings")
    assert page.locator("#strip-paused").count() == 0
    Pause.objects.create(reason="drill", set_at=timezone.now())
    page.evaluate("htmx.ajax('GET', '/notices', {target: '#strips', swap: 'morph'})")
    page.locator("#strip-paused", has_text="Everything").wait_for()
