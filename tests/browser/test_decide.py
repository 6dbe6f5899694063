"""Deciding and stopping in a real browser: taps, keys, focus, and the same without JavaScript."""

import pytest

from agents import paging, pauses, questions
from agents.models import Agent, Incident, Pause, Region
from agents.pauses import Section
from approvals.models import Approval, Person
from tests.browser.conftest import DESK, PHONE
from tests.browser.test_look import serious
from tests.deciding import action_of, furnish

pytestmark = pytest.mark.browser


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def states(asked):
    return [Approval.objects.get(pk=one.pk).state for one in asked]


def test_a_slip_is_taken_back_with_z(world, site):
    asked = world.ask(3)
    page = site("/inbox", role="rep")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.locator(f"#ask-{asked[1].pk}:focus").wait_for()
    page.keyboard.press("k")
    page.keyboard.press("a")
    page.locator("#status").get_by_role("button", name="Undo").wait_for()
    page.keyboard.press("z")
    page.get_by_role("status").get_by_text("Taken back: nothing is sent.").wait_for()
    assert action_of(asked[0]).state == "rejected"
    assert states(asked[1:]) == ["waiting", "waiting"]


def test_what_someone_else_decided_first_says_so_and_leaves_the_list(world, site, bob):
    first, second = world.ask(2)
    page = site("/inbox", role="rep", failing=(409,))
    questions.reject(first.pk, person=bob, binding=bytes(first.binding), reason="other")
    page.keyboard.press("a")
    page.get_by_role("status").get_by_text("Already rejected by Bob.").wait_for()
    page.locator(f"#ask-{first.pk}").wait_for(state="detached")
    assert states([first, second]) == ["rejected", "waiting"]


def test_several_are_picked_with_x(world, site):
    asked = world.ask(3)
    page = site("/inbox", role="rep")
    for _ in range(2):
        page.keyboard.press("j")
        page.keyboard.press("x")
    page.get_by_text("2 picked").wait_for()
    page.get_by_role("button", name="Approve them").click()
    page.get_by_role("status").get_by_text("2 approved, of 2 picked.").wait_for()
    assert states(asked) == ["approved", "approved", "waiting"]


def test_a_new_question_shows_by_itself_within_three_seconds_in_every_open_inbox(world, site):
    (first,) = world.ask(1)
    desk, phone = site("/inbox", role="rep"), site("/inbox", role="ops", size=PHONE)
    world.ask(1)
    for page in (desk, phone):
        page.get_by_role("link", name="1 new: show").wait_for(timeout=3000)
    questions.reject(first.pk, person=world.agent.owner, binding=bytes(first.binding), reason="other")
    desk.get_by_role("link", name="1 new, 1 no longer waiting: show").click()
    assert desk.locator(".brief").count() == 1


def test_an_empty_inbox_fills_by_itself_within_three_seconds(world, site):
    pages = [site("/inbox", role="rep"), site("/inbox", role="rep", size=PHONE)]
    for page in pages:
        page.get_by_text("Nothing waits for you").wait_for()
    (asked,) = world.ask(1)
    for page in pages:
        page.locator(f"#ask-{asked.pk}").wait_for(timeout=3000)


@pytest.mark.parametrize("script", [True, False], ids=["js", "no-js"])
def test_emea_is_paused_from_any_page_in_two_clicks(world, site, script):
    world.ask(2, region="emea/de")
    page = site("/audit", role="admin", script=script)
    page.get_by_role("link", name="Pause", exact=True).nth(1).click()
    choice = page.locator(".choices li", has_text="EMEA")
    choice.wait_for()
    assert "2 questions wait" in choice.inner_text()
    assert not Pause.objects.exists()
    choice.get_by_role("button", name="Pause EMEA").click()
    page.wait_for_url("**/pauses#pause-*")
    assert Pause.objects.get().region == Region.objects.get(code="emea")
    assert page.locator(".strip.paused").get_by_text("EMEA").is_visible()


def test_the_key_p_pauses_and_the_board_follows_by_itself(world, site):
    page = site("/pauses", role="admin")
    page.keyboard.press("p")
    page.locator("#dialog .choices").wait_for()
    page.keyboard.press("Escape")
    cell = page.locator(".matrix td a", has_text="Running").first
    cell.wait_for()
    pauses.set_pause(Section(), reason="Drill", actor="cli")
    page.locator("#board").get_by_text("Running").first.wait_for(state="detached", timeout=8000)
    assert page.locator("#board").get_by_text("Paused").count() > 5


def test_an_owner_takes_a_page_in_one_tap_without_javascript(world, site):
    one = paging.open_incident("failure_rate", "Inbound intent fails", actor="worker:watchdog", agent=world.agent)
    page = site("/incidents", role="owner", size=PHONE, script=False)
    Agent.objects.update(owner=Person.objects.get(name="owner person"))
    page.goto(f"{page.url}/{one.pk}")
    page.get_by_role("button", name="Take").click()
    page.get_by_text("Nobody else is paged").first.wait_for()
    assert Incident.objects.get().state == "taken"


def test_every_page_is_readable_and_fits(world, site):
    (asked,) = world.ask()
    pauses.set_pause(Section(region=Region.objects.get(code="emea")), reason="Drill", actor="cli")
    one = paging.open_incident("failure_rate", "Inbound intent fails", actor="worker:watchdog", agent=world.agent)
    page = site("/inbox", role="ops")
    paths = (
        "/inbox", f"/inbox/{asked.pk}", "/inbox/decided", "/pauses", "/pauses/new?region=amer", "/pauses/quick",
        "/pauses/history", "/incidents", f"/incidents/{one.pk}", "/audit", "/search?q=in",
    )  # fmt: skip
    for path in paths:
        page.goto(path)
        for width, height in (DESK, PHONE, (320, 640)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} at {width} px"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert serious(page) == [], f"{path}, {scheme}"
