"""A new user, who has read nothing, writes boundaries, sees what they would have changed, and puts them live."""

import pytest

from agents.models import Agent, Run
from tests.browser.conftest import DESK, PHONE
from tests.browser.test_look import serious
from tests.deciding import furnish, run_loop

pytestmark = pytest.mark.browser
NOON, EVENING = "2026-11-18T11:00:00+00:00", "2026-11-18T19:30:00+00:00"


@pytest.fixture
def agent(alice, workspace):
    """An autonomous agent that has been at work: small and large deals, in Germany and elsewhere, by day and late."""
    world = furnish(alice, stage="autonomous", spec={"clauses": [{"id": "all", "say": "alone"}]})
    for n, (region, value, at) in enumerate(
        [("emea/de", 900, NOON), ("emea/de", 900, EVENING), ("emea/de", 9000, EVENING), ("emea/fr", 9000, NOON),
         ("emea/fr", 9000, EVENING), ("amer", 100, EVENING)]
    ):  # fmt: skip
        world.signal(f"Jo {n}", region=region, fields={"value": value, "currency": "EUR", "time_zone": "Europe/Berlin"})
        run_loop()
        run = Run.objects.latest("pk")
        run.facts["at"] = at
        Run.objects.filter(pk=run.pk).update(facts=run.facts)
    return world.agent


def add(page):
    """Press the button, and see the new boundary open."""
    rows = page.get_by_role("list", name="Boundaries").get_by_role("listitem")
    before = rows.count()
    page.get_by_role("button", name="Add a boundary").click()
    rows.nth(before).get_by_role("group", name="What it does").wait_for()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("script", [True, False], ids=["js", "no-js"])
def test_above_five_thousand_ask_me_never_in_germany_after_six(agent, site, size, script):
    page = site("/", role="ops", size=size, script=script)
    page.get_by_role("main").get_by_role("link", name="Inbound intent").first.click()
    page.get_by_role("link", name="Change boundaries").click()

    add(page)
    page.get_by_role("group", name="Value").get_by_role("textbox").first.fill("5,000")
    add(page)
    page.get_by_role("group", name="What it does").get_by_text("Never").last.click()
    page.get_by_role("group", name="Regions").get_by_text("Germany").last.click()
    page.get_by_role("group", name="Hours there").get_by_label("from").last.fill("18:00")
    if script:
        page.get_by_text("Any play in Germany, from 18:00 to 24:00 where the recipient is").first.wait_for()
    page.get_by_role("button", name="See what it would change").click()

    page.get_by_text("It lets Inbound intent do less alone, and nothing more.").wait_for()
    told = page.get_by_role("region", name="On past runs").inner_text()
    assert "Of the last 6 runs it would have asked 2 more, gone alone 4 fewer, done nothing on 2 more." in told
    assert "any play in Germany, from 18:00 to 24:00" in page.get_by_role("main").inner_text().replace("Any", "any")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0 if script else True
    page.get_by_label("Reason").fill("Large deals and German evenings are ours.")
    page.get_by_role("button", name="Put it live").click()

    page.get_by_text("Version 2 is in force").first.wait_for()
    spec = Agent.objects.get().policy.spec
    assert spec["clauses"][1:] == [
        {"id": "c1", "say": "ask", "above_value": 5000, "currency": "EUR"},
        {"id": "c2", "say": "never", "regions": ["emea/de"], "hours": ["18:00", "24:00"]},
    ]


@pytest.mark.parametrize("script", [True, False], ids=["js", "no-js"])
def test_on_a_phone_it_is_seen_in_which_tab_one_is(agent, site, script):
    page = site("/agents/inbound-intent/policy", role="ops", size=PHONE, script=script)
    box = page.locator(".tabs [aria-current]").bounding_box()
    assert (box["x"] >= 0, box["x"] + box["width"] <= PHONE[0]) == (True, True), box


def test_an_expression_is_checked_while_it_is_typed_and_a_closed_tab_loses_nothing(agent, site):
    page = site("/agents/inbound-intent/policy", role="ops")
    add(page)
    page.get_by_text("More: confidence, risk").last.click()
    page.get_by_label("Advanced: only when this expression holds").last.press_sequentially("seatz > 4")
    page.get_by_text("There is no “seatz”").wait_for()
    assert page.evaluate("document.activeElement.value") == "seatz > 4", "it stays where the person types"
    page.get_by_label("Advanced: only when this expression holds").last.fill("fields.seats > 4")
    page.get_by_text("It can be read.").wait_for()
    page.goto("/agents/inbound-intent/policy")
    assert page.get_by_label("Advanced: only when this expression holds").last.input_value() == "fields.seats > 4"


def test_the_pages_are_readable_and_fit(agent, site):
    page = site("/agents/inbound-intent/policy", role="ops")
    add(page)
    page.get_by_role("group", name="What it does").get_by_text("Alone").wait_for()
    for path in ("/agents/inbound-intent/policy", "/agents/inbound-intent/policy/review", "/proposals"):
        page.goto(path)
        for fold in page.get_by_role("main").locator("details").all():
            fold.evaluate("(one) => { one.open = true; }")
        for width, height in (DESK, PHONE, (320, 640)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} at {width} px"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert serious(page) == [], f"{path}, {scheme}"
