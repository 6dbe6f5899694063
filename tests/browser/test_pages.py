"""Every page of the URL conf in a real browser: nothing broken, nothing that keeps somebody out, nothing too small."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, product

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import DESK, PHONE
from tests.browser.places import addresses, furnish
from tests.browser.test_look import serious
from tests.conftest import PASSWORD

pytestmark = pytest.mark.browser
ROLES = ("admin", "ops", "owner", "rep", "engineer", "auditor")
VIEWS = tuple(product((DESK, PHONE), ("light", "dark")))
STRANGERS = ("sign-in", "password/reset", "unsubscribe", "health")
"""What people see who are not signed in; signed-in people may be sent on from there."""

NAMELESS = """() => {
    const reachable = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const text = (e) => (e?.innerText || e?.textContent || '').trim();
    const named = (e) => text(e) || e.getAttribute('aria-label') || e.title || e.getAttribute('placeholder')
        || [...(e.labels || [])].some(text)
        || (e.getAttribute('aria-labelledby') || '').split(' ').some((id) => text(document.getElementById(id)));
    const shown = (e) => e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0 && !e.disabled;
    return [...document.querySelectorAll(reachable)].filter((e) => shown(e) && !named(e))
        .map((e) => e.outerHTML.slice(0, 90));
}"""
SMALL = """() => [...document.querySelectorAll('button, .button, input[type=submit]')]
    .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest('.sr, .skip, pre'))
    .map((e) => [e.getBoundingClientRect(), e])
    .filter(([box, e]) => box.height && box.height < (e.matches('.small, .toast *') ? 24 : 43.5))
    .map(([box, e]) => `${Math.round(box.height)} px: ${e.outerHTML.replace(/\\s+/g, ' ').slice(0, 90)}`)"""


@dataclass
class Visitor:
    """One person's browser, kept for all pages; `heard` is what went wrong on the page that is open."""

    context: BrowserContext
    page: Page = field(init=False)
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = page = self.context.new_page()
        page.on("pageerror", lambda error: self.heard.append(f"script: {error}"))
        page.on("console", lambda line: self.heard.append(f"console: {line.text}") if line.type == "error" else None)
        page.on("response", lambda one: self.heard.append(f"{one.status} {one.url}") if one.status >= 400 else None)

    def sign_in(self, email: str) -> None:
        self.page.goto("/sign-in?next=/settings")
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/settings")

    def status(self, path: str) -> int:
        """What a plain GET answers, 0 when that is no page: a file, a redirect or for POST only."""
        answer = self.context.request.get(path, max_redirects=0, fail_on_status_code=False)
        page = "text/html" in answer.headers.get("content-type", "")
        return 0 if answer.status in (301, 302, 303, 405) or not page else answer.status

    def faults(self, path: str, size: tuple[int, int], scheme: str) -> Iterator[str]:
        """Open the page so, and say what is wrong with it."""
        self.heard.clear()
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self.page.goto(path)
        over = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            yield f"scrolls sideways by {over} px"
        yield from (f"no name: {one}" for one in self.page.evaluate(NAMELESS))
        if size == PHONE:
            yield from (f"too small to tap, {one}" for one in self.page.evaluate(SMALL))
        yield from serious(self.page)
        yield from self.heard


@pytest.fixture
def visitors(browser: Browser, workspace, worker, live_web) -> Iterator[dict[str, Visitor]]:
    """A signed-in person of each role of a demo workspace at work, and a stranger, by role."""
    worker(concurrency=1)
    staff = furnish(live_web.url, PASSWORD)
    made = {role: Visitor(browser.new_context(base_url=live_web.url)) for role in (*ROLES, "stranger")}
    for role in ROLES:
        made[role].sign_in(staff[role].email)
    yield made
    for visitor in made.values():
        visitor.context.close()


def test_every_page_is_whole_readable_and_fits(visitors, seed, hostile):
    """Each page once, by turns as a role that may, at a size and in a scheme; --hostile=full: as all, in all four."""
    faults, opened = [], 0
    views = cycle(VIEWS[seed % 4 :] + VIEWS[: seed % 4])
    for turn, (route, path) in enumerate(addresses(), seed):
        may, first = [], turn % len(ROLES)
        for role in ["stranger"] if route.startswith(STRANGERS) else ROLES[first:] + ROLES[:first]:
            status = visitors[role].status(path)
            if status == 200:
                may.append(role)
            elif status not in (0, 403):
                faults.append(f"{path} as {role}: {status}")
            if status in (0, 200) and not hostile.full:
                break
        looks = [(role, next(views)) for role in may]
        if hostile.full and may:
            looks += zip(cycle(may), VIEWS, strict=False)
        for role, (size, scheme) in looks:
            opened += 1
            for fault in visitors[role].faults(path, size, scheme):
                faults.append(f"{path} as {role} at {size[0]} px, {scheme}: {fault}")
    assert opened > 40
    assert faults == [], "\n" + "\n".join(faults)
