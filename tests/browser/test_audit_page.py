"""Audit in a browser: asked in words and by facets, with and without JavaScript, and taken away."""

import os

import pytest
from django.db import transaction

from audit.entries import Line, record
from tests.browser.conftest import DESK, PHONE
from tests.deciding import furnish
from tests.pages.test_audit import seal_all

SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
def world(alice, workspace):
    made = furnish(alice)
    renamed = {"version": 3, "changed": {"name": ["Review", "Value review"]}}
    held = Line("action.held", "action:x", "worker:gate", "inbound-intent", None, "emea", detail={"pause": 4})
    lines = [
        Line("pause.set", "pause:4", alice.actor, region="emea", detail={"region": "emea", "why": "many complaints"}),
        Line("play.changed", "play:value-review", alice.actor, detail=renamed),
        held,
    ]
    with transaction.atomic():
        record(*lines, *(Line("play.changed", f"play:p-{n}", "cli") for n in range(60)))
    seal_all()
    return made


@pytest.mark.parametrize("script", [True, False], ids=["js", "no-js"])
def test_words_facets_and_stories_narrow_the_record(world, site, script):
    page = site("/audit", script=script)
    page.get_by_label("Words").fill("complaints")
    page.keyboard.press("Enter")
    page.get_by_text("paused EMEA").wait_for()
    assert page.locator("#rows [data-row]").count() == 1
    page.goto("/audit?about=pause:4")
    assert page.locator("#rows [data-row]").count() == 2
    page.get_by_role("link", name="Export").click()
    page.get_by_role("heading", name="Export what the filter shows").wait_for()
    with page.expect_download() as taken:
        page.get_by_role("link", name="NDJSON", exact=True).click()
    assert taken.value.suggested_filename.endswith(".ndjson")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_the_record_is_wider_than_the_window(world, site, size, scheme):
    page = site("/audit", size=size, scheme=scheme)
    for name, path in (
        ("audit", "/audit"), ("found", "/audit?q=complaints&region=emea"), ("export", "/audit/export?verb=play."),
        ("paper", "/audit/export.html?verb=p"), ("entry", "/audit?verb=play.changed&q=value"),
    ):  # fmt: skip
        page.goto(path)
        if name == "entry":
            page.locator("#rows .at").first.click()
            page.get_by_role("heading", name="What changed").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{name}-{size[0]}-{scheme}.png", full_page=True)
