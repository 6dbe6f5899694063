"""HOSTILE 18 and 19: no one sees, decides, pauses or acts outside their grants, whatever the address asks for."""

import itertools
from collections import Counter
from time import monotonic, sleep
from urllib.parse import quote, quote_plus, urlencode
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from agents import questions
from agents.changes import grant as grants
from agents.changes import person as people
from agents.loop.gate import gate
from agents.loop.hot import Hot
from agents.models import Action, Grant
from agents.models.grant import VERBS
from approvals.models import Approval, Role
from audit.entries import Line, record
from tests import making
from tests.deciding import run_loop
from tests.hostile.foreign import MARK, PARAMETER, calm, ground, kept, routes

ROLES = tuple(Role.values)
SCOPED = tuple(role for role in ROLES if role != Role.ADMIN)
OWN = ("settings", "settings/look", "password", "sign-out", "confirm")
"""Where a person changes or ends only what is their own."""
REFUSED = (401, 403, 404, 405)
PARTS = (
    "rows",
    "news",
    "board",
    "now",
    "live",
    "recent",
    "log",
    "health",
    "waiting",
    "lists",
    "found",
    "dialog",
    "strips",
)


@pytest.fixture
def grounds(workspace, person):
    """What is home and what is foreign, and an admin."""
    admin = person("Ada", role="admin")
    home = ground("home", person("Hana", role="owner"), "emea/de", "smb")
    away = ground(MARK, person("Otto", role="owner"), f"{MARK}-land", f"{MARK}-kind")
    for one in (home, away):
        one.work()
        one.trouble(admin)
    return home, away, admin


def scoped(person, admin, role, thing, name):
    """A person of that role who was granted all that can be granted, on one thing only."""
    one = person(f"{name} {role}", role=role, everywhere=False)
    noun = type(thing).__name__.lower()
    verbs = ["see"] if role == Role.AUDITOR else VERBS[noun]
    grants.give(one, on=thing, verbs=verbs, why="for the test", actor=admin.actor, by=admin)
    return one


def told(answer, *asked):
    """The answer without what it repeats of the question."""
    body = read(answer)
    for text in filter(None, map(str, asked)):
        for form in (text, quote(text), quote(text, safe=""), quote_plus(text), escape(text), escape(quote_plus(text))):
            body = body.replace(form.lower().encode(), b"")
    return body


def narrowed(person, admin, home):
    """A person of each role for the agent, the region and the segment that are home."""
    things = (home.agent, home.region, home.segment)
    return [scoped(person, admin, role, thing, type(thing).__name__) for role in SCOPED for thing in things]


def refused(answer):
    """403, 404, a method that the address does not take, or off to sign in."""
    if answer.status_code in (302, 303):
        return answer["Location"].startswith(("/sign-in", "/confirm"))
    return answer.status_code in REFUSED


def signed_in(person):
    client = Client(raise_request_exception=False)
    client.force_login(person, backend="console.backend.PersonBackend")
    return client


def read(response):
    """The whole answer, in lower case: names are shown as titles too."""
    return (b"".join(response.streaming_content) if response.streaming else response.content).lower()


def test_strangers_reach_nothing(grounds):
    client, seen = Client(), Counter()
    for route in routes():
        url = grounds[1].url(route)
        for answer in (client.get(url), client.post(url)):
            seen[answer.status_code] += 1
            assert refused(answer), (url, answer.status_code)
            assert MARK.encode() not in told(answer, url), url
    print(f"strangers: {dict(seen)}")


def test_every_address_of_what_is_foreign_is_refused(grounds, person, hostile, rng):
    home, away, admin = grounds
    everyone = narrowed(person, admin, home)
    before, seen, let_in = kept(), Counter(), []
    form = {**away.wishes(), "do": "save", "reason": "Something broke", "binding": "00", "on": "no"}
    for one in rng.sample(everyone, hostile.of(len(everyone))):
        client = signed_in(one)
        for route in filter(PARAMETER.search, routes()):
            url = away.url(route)
            for how, answer in (
                ("GET", client.get(url)),
                ("part", client.get(url, headers={"HX-Request": "true", "HX-Target": rng.choice(PARTS)})),
                ("POST", client.post(url, form)),
            ):
                seen[how, answer.status_code] += 1
                if not refused(answer) or MARK.encode() in told(answer, url):
                    let_in.append((one.role, one.name, how, url, answer.status_code))
    print(f"{sum(seen.values())} requests: {dict(seen)}")
    assert not let_in, "\n".join(map(str, let_in[:40]))
    assert kept() == before


def test_nothing_foreign_in_lists_counts_search_streams_and_exports(grounds, person, hostile, rng):
    home, away, admin = grounds
    everyone = narrowed(person, admin, home)
    before, seen, found = kept(), Counter(), []
    foreign, own = away.wishes(), home.wishes()
    for one in rng.sample(everyone, hostile.of(len(everyone))):
        client = signed_in(one)
        for url in map(home.url, routes()):
            asked = [{}, *({name: value} for name, value in foreign.items()), own]
            for query in asked if hostile.full else [own, rng.choice(asked)]:
                headers = rng.choice([{}, {"HX-Request": "true", "HX-Target": rng.choice(PARTS)}])
                answer = client.get(f"{url}?{urlencode(query)}", headers=headers)
                seen[answer.status_code] += 1
                if answer.status_code >= 500:
                    found.append((one.role, one.name, url, query, answer.status_code))
                body = told(answer, *query.values())
                if MARK.encode() in body:
                    at = body.index(MARK.encode())
                    found.append((one.role, one.name, url, query, body[max(0, at - 160) : at + 40]))
    print(f"{sum(seen.values())} requests: {dict(seen)}")
    assert not found, "\n".join(map(str, found[:20]))
    assert kept() == before


def test_forms_that_name_what_is_foreign_change_nothing(grounds, person, hostile, rng):
    home, away, admin = grounds
    everyone = narrowed(person, admin, home)
    before, faults, moved = kept(), [], []
    for one in rng.sample(everyone, hostile.of(len(everyone))):
        client = signed_in(one)
        for url in filter(lambda route: route not in OWN and not PARAMETER.search(route), routes()):
            for do in ("again", "discard", "replay", "save"):
                form = {**away.wishes(), "do": do, "reason": "Something broke", "name": "New", "until": ""}
                if client.post(f"/{url}", form).status_code >= 500:
                    faults.append((one.role, one.name, url, do))
            if kept() != before:
                moved.append((one.role, one.name, url))
                before = kept()
    assert not faults
    assert not moved


def differing(one, other):
    """Where two answers begin to differ."""
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return one[max(0, at - 80) : at + 80], other[max(0, at - 80) : at + 80]


def test_what_is_foreign_does_not_move_a_number(grounds, person, hostile, rng):
    home, away, admin = grounds
    pages = [home.url(route) for route in routes() if not route.startswith("settings/sign-in")]
    roles = SCOPED if hostile.full else rng.sample(SCOPED, 1)
    for role, thing in itertools.product(roles, (home.agent, home.region, home.segment)):
        client = signed_in(scoped(person, admin, role, thing, f"n {type(thing).__name__}"))
        first = {url: calm(read(client.get(url))) for url in pages}
        away.work(3)
        again = {url: calm(read(client.get(url))) for url in pages}
        moved = [url for url in pages if first[url] != again[url]]
        assert not moved, (role, moved, differing(first[moved[0]], again[moved[0]]))


def entries(size):
    """So many entries of Germany, in the record."""
    with transaction.atomic():
        record(*(Line("region.changed", "region:emea/de", "cli", region="emea/de") for _ in range(size)))


def test_a_grant_taken_back_during_an_export_ends_it_within_a_second(workspace, person, monkeypatch):
    admin, germany = person("Ada", role="admin"), making.region("emea/de")
    reader = person("Rita", role="auditor", everywhere=False)
    grants.give(reader, on=germany, verbs=["see"], why="to read", actor=admin.actor, by=admin)
    entries(2_500)
    stream = signed_in(reader).get("/audit/export.csv").streaming_content
    assert len(list(itertools.islice(stream, 200))) == 200
    grants.take_back(reader, on=germany, actor=admin.actor)
    late, end = 0, monotonic() + 1
    for line in stream:
        late += monotonic() > end and b"region:emea/de" in line
        sleep(0.002)
    assert not late
    assert monotonic() < end + 1


def test_what_is_polled_shows_nothing_any_more_once_a_grant_is_gone(grounds, person):
    home, _, admin = grounds
    one = scoped(person, admin, "rep", home.region, "polls")
    client = signed_in(one)
    pages = ("/runs", "/inbox", "/signals", "/audit", "/failed", "/accounts", "/search?q=home")
    assert all(b"home" in read(client.get(page)).replace(b'href="/"', b"") for page in pages[:3])
    Grant.objects.update(expires_at=timezone.now())
    for page in pages:
        text = read(client.get(page))
        assert b"home corp" not in text, page
        assert b"home.example" not in text, page


REVOKED = {
    "taken back": lambda one, thing, by: grants.take_back(one, on=thing, actor=by.actor),
    "expired": lambda one, thing, by: Grant.objects.filter(user=one).update(expires_at=timezone.now()),
    "made an auditor": lambda one, thing, by: people.change_person(one, actor=by.actor, role="auditor"),
    "closed": lambda one, thing, by: people.close_person(one, actor=by.actor),
}


def test_what_someone_said_yes_to_who_may_no_longer_is_not_sent(workspace, person, hostile, rng):
    admin = person("Ada", role="admin")
    home = ground("home", person("Hana", role="owner"), "emea/de", "smb")
    size = hostile.of(200, least=len(REVOKED) * 3)
    making.signals([{"type": "home", "region": home.region, "segment": home.segment} for _ in range(size + 1)])
    run_loop()
    waiting = list(Approval.objects.filter(state="waiting").order_by("id"))
    kept_on = scoped(person, admin, "rep", home.region, "stays")
    questions.approve(waiting[0].pk, person=kept_on, binding=bytes(waiting[0].binding))
    for n, approval in enumerate(waiting[1:]):
        thing = rng.choice([home.agent, home.region, home.segment])
        one = scoped(person, admin, "rep", thing, f"p{n}")
        questions.approve(approval.pk, person=one, binding=bytes(approval.binding))
        how = list(REVOKED)[n % len(REVOKED)]
        REVOKED[how](one, thing, admin)
    Action.objects.filter(state="ready").update(not_before=timezone.now())
    loop = Hot()
    permitted = [one.action for _ in range(len(waiting)) for one in gate(loop)]
    loop.close()
    assert permitted == [UUID(waiting[0].subject.partition(":")[2])]
    refused_ = Action.objects.filter(state="refused").count()
    print(f"{refused_} of {size} refused at the gate, 1 of 1 let pass")
    assert refused_ == size


def test_an_undo_is_not_sent_once_whoever_asked_for_it_may_no_longer(workspace, person):
    admin = person("Ada", role="admin")
    home = ground("home", person("Hana", role="owner"), "emea/de", "smb")
    making.signals([{"type": "home", "region": home.region, "segment": home.segment} for _ in range(2)])
    run_loop()
    stays, goes = (scoped(person, admin, "rep", home.region, name) for name in ("stays", "goes"))
    first, second = Action.objects.order_by("id")
    for action, by in ((first, stays), (second, goes)):
        Action.objects.filter(pk=action.pk).update(
            state="ready", undo_of=uuid4(), approval=None, permitted_by=by.actor, not_before=timezone.now()
        )
    grants.take_back(goes, on=home.region, actor=admin.actor)
    loop = Hot()
    permitted = [one.action for _ in range(2) for one in gate(loop)]
    loop.close()
    assert permitted == [first.pk]
    assert Action.objects.get(pk=second.pk).why == "Whoever asked to take it back no longer may."
