"""Chromium against the running site. Every page opened here fails its test on a console error."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import PASSWORD

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESK, PHONE = (1440, 900), (390, 844)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as it stands on this machine; without one these tests are skipped.

    Ended with its module, since Playwright keeps an event loop running that other tests could not start theirs beside.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def site(browser: Browser, person, live_web) -> Iterator[Callable[..., Page]]:
    """`site("/inbox", role="rep", size=PHONE, scheme="dark")`: a page opened by a signed-in person of that role.

    `role=None` opens it as a stranger; `failing` names statuses that are expected to be logged as errors.
    """
    contexts, troubles, people = [], [], {}

    def open_page(
        path: str,
        *,
        role: str | None = "admin",
        size: tuple[int, int] = DESK,
        scheme: str = "light",
        script: bool = True,
        failing: tuple[int, ...] = (),
    ) -> Page:
        context = browser.new_context(
            base_url=live_web.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda line: (
                troubles.append(line.text)
                if line.type == "error" and not any(str(status) in line.text for status in failing)
                else None
            ),
        )
        if role:
            if role not in people:
                people[role] = person(f"{role} person", role=role)
            page.goto("/sign-in?next=/settings")
            page.get_by_label("E-mail").fill(people[role].email)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/settings")
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
