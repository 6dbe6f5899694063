"""HOSTILE 25: what strangers wrote is shown as text on every page, and is no live cell in any CSV."""

import csv
import re
import shutil
from collections import Counter
from io import StringIO

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from playwright.sync_api import sync_playwright

from agents import paging, pauses, questions
from agents.models import Agent
from approvals.models import Approval
from tests.browser.conftest import FLAGS
from tests.conftest import PASSWORD
from tests.hostile.crawl import Flaws, addresses, asking, routes
from tests.hostile.crossing import crossing
from tests.hostile.injections import BASES, MARK, MARKUP, RESULT, Attack, attacks, places

SIZE, PAGES, SHOTS = 2_000, 40, 120
LIVE = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"-?[\d.,]+")
SHOWING = {
    "runs", "run", "inbox", "question", "signals", "signal", "accounts", "account", "contact", "connection-mailbox",
    "audit", "entry", "agent", "source", "source-mapping", "play",
}  # fmt: skip
ALIVE = "zqx, [zqx], [onerror], [onload], [onclick], [onfocus], [onmouseover], [ontoggle], [srcdoc], base, plaintext"


@pytest.fixture
def admin(person):
    return person("Ada", role="admin")


@pytest.fixture
def fed(yard, alice, admin, hostile, rng):
    """Signals decided, acted on and asked about, some answered, something paused and something broken."""
    with crossing(yard, alice) as made:
        made.send(rng.sample(attacks(), hostile.of(SIZE)), rng)
        for approval in Approval.objects.all()[:3]:
            questions.reject(approval.pk, person=admin, binding=approval.binding, reason="other")
        agent = Agent.objects.get(slug="asking")
        pauses.set_pause(pauses.Section(agent=agent), reason="drill", actor=alice.actor, person=alice)
        paging.open_incident("stalled", "Nothing moves.", actor="cli", agent=agent)
        yield made


def test_markup_that_came_to_life_is_found():
    for text in MARKUP:
        if re.search(rf"<[^&]*{MARK}", text) and not text.startswith(("</script", "</style")):
            assert Flaws(f'<p>{text}</p>">').found, text
        assert Flaws(f'<p title="{escape(text)}">{escape(text)}</p>').found == [], text
    assert Flaws(f'<p title="" onmouseover="{MARK}()">').found
    assert Flaws(f"<script>var a = '{MARK}'</script>").found
    for away in (
        "javascript:zqx()",
        "//zqx.evil.example/",
        "/\\zqx.evil.example",
        "data:text/html,zqx",
        " https://zqx/",
    ):
        assert Flaws(f'<a href="{away}">').found, away
    assert Flaws(f'<a href="/accounts/{MARK}">').found == []


def test_every_page_shows_text_as_text_and_every_csv_keeps_it_dead(fed, admin, hostile, rng):
    client = Client()
    client.force_login(admin)
    seen, flaws, marked, tables = Counter(), [], 0, 0
    for pattern in filter(lambda one: one.name not in (None, "api-root"), routes()):
        for arguments in addresses(pattern, rng, hostile.of(PAGES)):
            url = reverse(pattern.name, kwargs=arguments)
            for address, body, status in _pages(client, url, rng):
                seen[pattern.name, status] += 1
                if isinstance(body, list):
                    tables += 1
                    flaws += [(address, cell) for cell in body]
                    continue
                marked += MARK in body
                flaws += [(address, flaw) for flaw in Flaws(body).found]
                if RESULT in body:
                    flaws.append((address, RESULT))
    answered = {name for name, status in seen if status == 200}
    print(f"{seen.total()} pages of {len(answered)} addresses, {marked} with input, {tables} CSV: {len(flaws)} flaws")
    assert flaws == []
    assert {status for _, status in seen} <= {200, 204, 286, 302, 303, 400, 401, 404, 405, 409, 415, 422}
    assert marked > 100
    assert tables
    assert {name for name, _ in seen} - answered <= {name for name, status in seen if status != 404}


def _pages(client, url, rng):
    """The page at `url`, its fragment, and both asked with hostile filters: (address, HTML or live cells, status)."""
    queries = [""]
    for query in queries:
        for headers in ({}, {"HX-Request": "true"}):
            address = f"{url}?{query}" if query else url
            answer = client.get(address, headers=headers)
            if answer.headers.get("Content-Type", "").startswith("text/csv"):
                text = b"".join(answer.streaming_content).decode()
                yield address, live_cells(text), answer.status_code
                continue
            body = answer.getvalue().decode()
            yield address, body, answer.status_code
            if not query and not headers and answer.status_code == 200:
                queries.append(asking(rng, body))
            if answer.status_code == 405:
                return


def live_cells(text):
    """Cells that a spreadsheet would run, whichever of the usual separators it takes."""
    found = []
    for separator in ",;\t":
        read = text if separator == "," else text.replace("\r", " ")  # outside quotes Python's reader takes none
        for row in csv.reader(StringIO(read), delimiter=separator):
            found += [cell for cell in row if LIVE.match(cell) and not NUMBER.fullmatch(cell)]
    return found


def test_nothing_runs_in_a_browser(yard, alice, admin, hostile, rng):
    """The markup of every kind in every field of one format, on pages opened without the policy that would stop it."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    ran = []
    with crossing(yard, alice) as fed:
        every = [Attack("json", place, text) for text in MARKUP for place in places(BASES["json"])]
        fed.send(rng.sample(every, hostile.of(len(every))), rng)
        pages = [
            reverse(pattern.name, kwargs=arguments)
            for pattern in routes()
            if pattern.name in SHOWING
            for arguments in addresses(pattern, rng, 40)
        ]
        pages = rng.sample(pages, hostile.of(SHOTS))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            context = browser.new_context(base_url=fed.door.url, bypass_csp=True)
            context.add_init_script("window.zqx = () => { window.ran = true }")
            page = context.new_page()
            page.on("dialog", lambda dialog: (ran.append(f"dialog {dialog.message}"), dialog.dismiss()))
            page.on("request", lambda one: one.url.startswith(fed.door.url) or ran.append(one.url))
            _sign_in(page, admin)
            marked = 0
            for address in pages:
                page.goto(address)
                page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
                marked += MARK in page.content()
                if page.evaluate("window.ran || false") or page.locator(ALIVE).count():
                    ran.append(address)
            browser.close()
    print(f"{len(pages)} pages in Chromium, {marked} with input: {len(ran)} came to life")
    assert ran == []
    assert marked > len(pages) // 4


def _sign_in(page, person):
    page.goto("/sign-in?next=/settings")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/settings")
