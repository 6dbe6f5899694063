"""
Deciding and stopping as people do it, counted: two taps on a phone, twenty decisions by keyboard, two clicks to pause.

Each with JavaScript and without. Taps, clicks, keys and the words to be read are counted here, not believed.
"""

import re
import time

import pytest

from agents.models import Pause, Region, Run
from approvals.models import Approval
from tests.browser.conftest import DESK, PHONE
from tests.deciding import furnish

pytestmark = pytest.mark.browser
BOTH = pytest.mark.parametrize("script", [True, False], ids=["js", "no-js"])
TARGET = 44
WORDS = 60
TWENTY = 20
READ = """() => {
    const card = document.querySelector('.asked').cloneNode(true);
    document.querySelector('.asked').parentElement.append(card);
    card.querySelectorAll('.decide').forEach((bar) => bar.remove());
    const words = card.innerText.trim().split(/\\s+/);
    card.remove();
    return words;
}"""
COVERED = "(e, [x, y]) => e.contains(document.elementFromPoint(x, y))"
FOCUS = "(document.activeElement.innerText || '').trim()"


class Finger:
    """Taps what is on the screen now, without scrolling to it, and counts."""

    def __init__(self, page) -> None:
        self.page, self.taps = page, 0

    def tap(self, target) -> None:
        box = target.bounding_box()
        assert min(box["height"], box["width"]) >= TARGET, box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert 0 <= x <= PHONE[0], "it is on the screen"
        assert 0 <= y <= PHONE[1], "it is on the screen"
        assert target.evaluate(COVERED, [x, y]), "nothing covers it"
        self.page.mouse.click(x, y)
        self.taps += 1


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def states(asked):
    return [Approval.objects.get(pk=one.pk).state for one in asked]


@BOTH
def test_a_rep_approves_on_a_phone_in_two_taps(world, site, script):
    first, second = world.ask(2)
    page = site("/inbox", role="rep", size=PHONE, script=script)
    finger = Finger(page)
    finger.tap(page.locator(f"#ask-{first.pk}"))
    page.wait_for_url(f"**/inbox/{first.pk}*")
    read = page.evaluate(READ)
    assert "Shall we talk for ten minutes this week?" in " ".join(read), "the mail is whole"
    assert len(read) <= WORDS, [len(read), *(" ".join(read[n : n + 8]) for n in range(0, len(read), 8))]
    finger.tap(page.get_by_role("button", name="Approve"))
    page.wait_for_url(f"**/inbox/{second.pk}*")
    assert finger.taps == 2
    assert states([first, second]) == ["approved", "waiting"]
    assert page.get_by_role("status").get_by_role("button", name="Undo").is_visible()
    assert page.locator("#status").get_by_text("Yes: Send").is_visible()


def test_twenty_decisions_by_one_key_each_and_the_focus_is_always_on_the_next(world, site):
    asked = world.ask(TWENTY + 1)
    page = site("/inbox", role="rep", size=DESK)
    page.keyboard.press("j")
    begun, keys = time.monotonic(), 0
    for n, one in enumerate(asked[:TWENTY]):
        page.locator(f"#ask-{one.pk}:focus").wait_for()
        detail = page.locator(".triage .detail:visible")
        assert detail.count() == 1
        assert f"to Jo {n} at" in detail.locator("h2").inner_text()
        pressed = ("d", "Enter") if n % 5 == 4 else ("a",)
        for key in pressed:
            if key == "Enter":
                page.locator(".no form button:focus", has_text="Wrong person").wait_for()
            page.keyboard.press(key)
        keys += len(pressed)
        page.locator(f"#ask-{one.pk}").wait_for(state="detached")
    page.locator(f"#ask-{asked[-1].pk}:focus").wait_for()
    assert keys == TWENTY + TWENTY // 5
    assert time.monotonic() - begun < 180
    assert states(asked) == [*(["approved"] * 4 + ["rejected"]) * (TWENTY // 5), "waiting"]


def test_twenty_decisions_by_tab_and_enter_without_javascript(world, site):
    asked = world.ask(TWENTY + 1)
    page = site("/inbox", role="rep", size=DESK, script=False)
    for _ in range(80):
        page.keyboard.press("Tab")
        if "to Jo 0 at" in page.evaluate(FOCUS):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/inbox/{asked[0].pk}*")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUS).startswith("Approve"):
            break
    page.keyboard.press("Enter")
    for n, one in enumerate(asked[1:TWENTY], 1):
        page.wait_for_url(f"**/inbox/{one.pk}*")
        assert f"to Jo {n} at" in page.evaluate(FOCUS), "the focus is on the next question"
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS).startswith("Approve")
        page.keyboard.press("Enter")
    page.wait_for_url(f"**/inbox/{asked[-1].pk}*")
    assert states(asked) == ["approved"] * TWENTY + ["waiting"]


@BOTH
def test_emea_is_paused_from_a_run_in_two_clicks_with_its_blast_radius_first(world, site, script):
    world.ask(2, region="emea/de")
    run = Run.objects.latest("pk")
    page = site(f"/runs/{run.pk}", role="admin", script=script)
    clicks = 0
    page.locator(".bar").get_by_role("link", name="Pause", exact=True).click()
    clicks += 1
    choice = page.locator(".choices li", has_text="EMEA")
    choice.wait_for()
    assert re.search(r"\b2 (questions|approvals) wait", choice.inner_text()), choice.inner_text()
    assert not Pause.objects.exists(), "nothing is paused before the second click"
    choice.get_by_role("button", name="Pause EMEA").click()
    clicks += 1
    page.locator(".strip.paused").get_by_text("EMEA").wait_for()
    assert clicks == 2
    assert Pause.objects.get().region == Region.objects.get(code="emea")


def test_keys_do_nothing_once_they_are_switched_off(world, site):
    (one,) = world.ask(1)
    page = site("/settings", role="rep")
    page.get_by_label("Keys (j, k").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("status").get_by_text("Saved.").wait_for()
    page.goto("/inbox")
    for key in "jaedszxp/?":
        page.keyboard.press(key)
    assert not page.locator("dialog[open]").count()
    assert states([one]) == ["waiting"]
