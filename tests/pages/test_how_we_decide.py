"""Rubber stamps: who answers quicker than anybody reads sees it in the Inbox, and the manager for everybody."""

import pytest

from agents import stamps
from approvals.models import Verdict
from tests.deciding import furnish


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


def answer(world, client, person, count, looked):
    client.force_login(person)
    for one in world.ask(count):
        form = {"binding": bytes(one.binding).hex(), "looked": str(looked)}
        assert client.post(f"/inbox/{one.pk}/approve", form).status_code == 303
    Verdict.objects.filter(person=person).update(took_ms=looked)


def text_of(client, path):
    return " ".join(client.get(path).content.decode().split())


def test_who_is_too_quick_is_told_kindly_and_nobody_else(world, client, bob, person):
    answer(world, client, bob, stamps.MIN_SAMPLE - 1, 1200)
    assert "answers took" not in text_of(client, "/inbox"), "too few to say anything"
    answer(world, client, bob, 1, 1200)
    assert f"Your last {stamps.MIN_SAMPLE} answers took 1.2 s each" in text_of(client, "/inbox")
    dana = person("Dana", role="ops")
    answer(world, client, dana, stamps.MIN_SAMPLE, 9000)
    assert "answers took" not in text_of(client, "/inbox")


def test_the_manager_sees_how_everybody_decides(world, client, bob, person):
    client.force_login(person("Dana", role="ops"))
    assert "Nothing was answered yet" in text_of(client, "/inbox/how-we-decide")
    answer(world, client, bob, stamps.MIN_SAMPLE, 1200)
    assert client.get("/inbox/how-we-decide").status_code == 403, "a rep sees only their own"
    client.force_login(person("Eve", role="ops"))
    page = text_of(client, "/inbox/how-we-decide?days=7")
    assert "1 of 1 people answer quicker than most questions can be read." in page
    row = page.partition('id="person-')[2].partition("</tr>")[0]
    for words in ("Bob", "very quick", f">{stamps.MIN_SAMPLE}<", "1.2 s"):
        assert words in row
    assert 'href="/inbox/how-we-decide"' in text_of(client, "/inbox")
