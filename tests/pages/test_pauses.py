"""Pause: the board says what is so, closing and opening say what they do, and nothing is called paused too early."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import pauses
from agents.models import Action, Attempt, Pause, Region, Segment
from agents.pauses import Section
from audit.ids import new_ids
from audit.models import Entry
from console.until import parse_until
from console.views.pauses import cell
from tests.deciding import action_of, furnish


@pytest.fixture
def world(alice, workspace):
    return furnish(alice)


@pytest.fixture
def olga(person):
    return person("Olga", role="ops")


def region(code):
    return Region.objects.get(code=code)


def test_what_it_stops_is_shown_before_and_done_after(world, client, olga):
    world.ask(3, region="emea/de")
    world.ask(2, region="amer")
    first = Action.objects.filter(region=region("emea/de")).order_by("id").first()
    Action.objects.filter(pk=first.pk).update(state="sending", flight_until=timezone.now() + timedelta(minutes=5))
    client.force_login(olga)
    asked = client.get("/pauses/new", {"region": "emea"})
    text = " ".join(asked.content.decode().split())
    assert "Pause EMEA?" in text
    assert "Concerns 1 agent: Inbound intent." in text
    for number, fate in ((1, "in flight"), (0, "queued"), (2, "waiting for a yes")):
        assert f'<strong class="num">{number}</strong> {fate}' in text
    assert not Pause.objects.exists()
    answer = client.post("/pauses/new", {"region": "emea", "reason": "Wrong messages", "until": "2h"})
    pause = Pause.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/pauses#pause-{pause.pk}")
    assert (pause.region, pause.reason, pause.set_by) == (region("emea"), "Wrong messages", olga)
    assert timedelta(hours=1, minutes=59) < pause.until - timezone.now() <= timedelta(hours=2)
    entry = Entry.objects.get(subject=f"pause:{pause.pk}")
    assert (entry.verb, entry.actor, entry.region) == ("pause.set", olga.actor, "emea")
    board = client.get("/pauses").content.decode()
    assert "Pausing (1 in flight)" in board
    Action.objects.filter(pk=first.pk).update(state="delivered")
    assert "Pausing" not in client.get("/pauses").content.decode()


def test_the_board_tells_paused_partly_and_running_apart(world, client, olga):
    pauses.set_pause(Section(region=region("emea")), reason="x", actor="cli")
    pauses.set_pause(Section(region=region("apac"), segment=Segment.objects.get(code="smb")), reason="x", actor="cli")
    client.force_login(olga)
    held = list(Pause.objects.standing())

    def words(where=None, what=None):
        segment = Segment.objects.get(code=what) if what else None
        return cell(held, [], region=region(where) if where else None, segment=segment).words

    assert words("emea") == words("emea/de") == words("emea/de", "smb") == "Paused"
    assert words("apac", "smb") == "Paused"
    assert words() == words("apac") == words(None, "smb") == "Partly"
    assert words("amer") == words("amer", "smb") == words("apac", "enterprise") == "Running"
    text = client.get("/pauses").content.decode()
    assert text.count("Paused") >= 4


def test_resuming_names_what_still_holds(world, client, olga):
    wide = pauses.set_pause(Section(region=region("emea")), reason="x", actor="cli")
    pauses.set_pause(Section(agent=world.agent), reason="y", actor="cli")
    pauses.set_pause(Section(region=region("amer")), reason="z", actor="cli")
    client.force_login(olga)
    text = client.get(f"/pauses/{wide.pk}/resume").content.decode()
    (note,) = re.findall(r'<p class="note paused">(.*?)</p>', text, re.DOTALL)
    assert "EMEA · Inbound intent</strong> stays closed by" in note
    assert "the pause of Inbound intent</a>: y" in note
    wide.refresh_from_db()
    assert wide.lifted_at is None
    page = client.post(f"/pauses/{wide.pk}/resume", follow=True).content.decode()
    assert (
        "EMEA goes on. EMEA · Inbound intent stays closed by the pause of Inbound intent (the command line: y)." in page
    )
    again = client.post(f"/pauses/{wide.pk}/resume")
    assert again.status_code == 409
    assert "Olga resumed it at" in again.content.decode()
    assert "Olga" in client.get("/pauses/history").content.decode()


def test_resuming_what_another_closes_wholly_lets_nothing_go_and_says_so(world, client, olga):
    narrow = pauses.set_pause(Section(region=region("emea/de")), reason="x", actor="cli")
    wide = pauses.set_pause(Section(region=region("emea")), reason="y", actor="cli")
    world.ask(2, region="emea/de")
    Action.objects.update(state="held", why=f"pause:{narrow.pk}")
    client.force_login(olga)
    text = " ".join(client.get(f"/pauses/{narrow.pk}/resume").content.decode().split())
    assert "Nothing here goes on yet" in text
    assert '<strong class="num">0</strong> held: they go' in text
    assert '<strong class="num">2</strong> held here lie in other pauses too: they stay' in text
    text = client.post(f"/pauses/{narrow.pk}/resume", follow=True).content.decode()
    assert "This pause of Germany is over, but Germany stays closed by the pause of EMEA (the command line: y)." in text
    text = client.get(f"/pauses/{wide.pk}").content.decode()
    assert "would stay closed" not in text


def test_a_pause_is_opened_in_stages_and_back_from_its_page(world, client, olga):
    pause = pauses.set_pause(Section(region=region("emea")), reason="x", actor="cli")
    client.force_login(olga)
    for share, words in (("10", "Resuming, 10 % go"), ("50", "Resuming, 50 % go"), ("0", "Paused")):
        answer = client.post(f"/pauses/{pause.pk}/resume", {"share": share, "why": "step by step"})
        assert (answer.status_code, answer["Location"]) == (303, f"/pauses/{pause.pk}")
        for url in (f"/pauses/{pause.pk}", "/pauses", "/"):
            assert words in client.get(url).content.decode(), (share, url)
        pause.refresh_from_db()
        assert (pause.share, pause.lifted_at) == (int(share), None)
    for wrong in ("-1", "11", "101", "x"):
        answer = client.post(f"/pauses/{pause.pk}/resume", {"share": wrong})
        assert (answer.status_code, "no stage" in answer.content.decode()) == (422, True)
    client.post(f"/pauses/{pause.pk}/resume", {"share": "100"})
    text = " ".join(client.get(f"/pauses/{pause.pk}").content.decode().split())
    assert [text.count(said) for said in ("let 10 per cent through", "let 50 per cent", "let 0 per cent")] == [1, 1, 1]
    assert "Resumed" in text


def test_the_page_of_a_pause_names_what_was_in_flight_and_what_is_unknown(world, client, olga):
    (asked,) = world.ask()
    action = action_of(asked)
    (attempt,) = new_ids(1)
    later = timezone.now() + timedelta(minutes=5)
    Attempt.objects.create(
        id=attempt, action=action, connection=action.connection, at=timezone.now(), permit_until=later,
        flight_until=later,
    )  # fmt: skip
    Action.objects.filter(pk=action.pk).update(state="sending", attempt=attempt, flight_until=later)
    client.force_login(olga)
    client.post("/pauses/new", {"agent": "inbound-intent", "reason": "Freeze"})
    pause = Pause.objects.get()
    text = " ".join(client.get(f"/pauses/{pause.pk}").content.decode().split())
    assert "Pausing (1 in flight)" in text
    assert "1, 1 still" in text
    assert ">Paused" not in text
    assert "Pausing (1 in flight)" in client.get("/").content.decode()
    Attempt.objects.update(settled_at=pause.set_at + timedelta(seconds=2), verdict="unknown")
    Action.objects.update(state="unknown")
    text = " ".join(client.get(f"/pauses/{pause.pk}").content.decode().split())
    assert "Paused" in text
    assert "<dt>Until none was</dt><dd>2.0 s</dd>" in text
    assert f"/runs/{action.run_id}#action-{action.pk}" in text


def test_a_pause_is_extended_and_a_wrong_moment_changes_nothing(world, client, olga):
    client.force_login(olga)
    client.post("/pauses/new", {"reason": "Freeze", "until": "30m"})
    pause = Pause.objects.get()
    assert client.post(f"/pauses/{pause.pk}/extend", {"until": "2h"}).status_code == 303
    before = pause.until
    pause.refresh_from_db()
    assert pause.until - before > timedelta(hours=1, minutes=29)
    answer = client.post(f"/pauses/{pause.pk}/extend", {"until_at": "2001-01-01T10:00"})
    assert (answer.status_code, "That moment is past." in answer.content.decode()) == (422, True)
    held = Pause.objects.get().until
    for nothing in ({}, {"until_at": ""}, {"until": " ", "until_at": ""}, {"until": "x" * 31}):
        answer = client.post(f"/pauses/{pause.pk}/extend", nothing)
        assert (answer.status_code, Pause.objects.get().until) == (422, held), nothing
    client.post(f"/pauses/{pause.pk}/extend", {"until": "never"})
    pause.refresh_from_db()
    assert pause.until is None
    pauses.lift(pause, actor="cli")
    assert client.post(f"/pauses/{pause.pk}/extend", {"until": "2h"}).status_code == 409
    assert client.get(f"/pauses/{pause.pk}/extend").status_code == 405


def test_a_drill_pauses_nothing_and_stays_on_the_agents_and_the_regions_page(world, client, olga):
    world.ask(2, region="emea/de")
    client.force_login(olga)
    answer = client.post("/pauses/new", {"region": "emea", "agent": "inbound-intent", "do": "drill"})
    drill = Pause.objects.get()
    assert (answer.status_code, answer["Location"], drill.is_drill) == (303, f"/pauses/{drill.pk}", True)
    text = " ".join(client.get(answer["Location"]).content.decode().split())
    for said in (
        "A drill: nothing was paused.",
        "Lock waited for",
        "Alice, as owners",
        "2 questions",
        "Until none was",
    ):
        assert said in text
    assert "strip-paused" not in client.get(reverse("strips")).content.decode()
    for url in ("/agents/inbound-intent", "/scopes/regions/emea"):
        text = client.get(url).content.decode()
        assert f"/pauses/{drill.pk}" in text
        assert "Olga" in text[text.index(f"/pauses/{drill.pk}") :]
    assert "Drill" in client.get("/pauses/history").content.decode()


def test_when_the_lock_is_held_nothing_changes_and_it_says_so(world, client, olga, workspace):
    client.force_login(olga)
    with workspace.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", [pauses.Lock.REGION, region("emea").pk])
        answer = client.post("/pauses/new", {"region": "emea", "reason": "Freeze"})
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.content.decode()
    assert not Pause.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_section_is_never_taken_for_everything(world, client, olga, method):
    client.force_login(olga)
    answer = getattr(client, method)("/pauses/new", {"region": "nope", "reason": "Freeze"})
    assert answer.status_code == 422
    assert "There is no such section." in answer.content.decode()
    assert "Pause everything" not in answer.content.decode()
    assert not Pause.objects.exists()


def test_quick_has_each_region_a_click_away_with_its_reach(world, client, olga):
    world.ask(2, region="emea/de")
    client.force_login(olga)
    answer = client.get("/pauses/quick", headers={"HX-Request": "true", "HX-Target": "dialog"})
    text = " ".join(answer.content.decode().split())
    assert "<html" not in text
    emea = text[text.index("<strong>EMEA") :].split("</li>")[0]
    assert "2 questions wait" in emea
    assert 'name="region" value="emea"' in emea
    client.post("/pauses/new", {"region": "emea", "reason": "Freeze"})
    assert Pause.objects.get().region == region("emea")


def test_who_may_not_pause_learns_who_can(world, client, bob, olga):
    client.force_login(bob)
    text = client.get("/pauses/quick").content.decode()
    assert "Olga" in text
    assert "because their role is ops manager" in text
    assert client.get("/pauses").status_code == 200
    assert client.get("/pauses/new").status_code == 403
    assert client.post("/pauses/new", {"reason": "Freeze"}).status_code == 403
    pause = pauses.set_pause(Section(), reason="x", actor="cli")
    assert client.post(f"/pauses/{pause.pk}/resume").status_code == 403
    pause.refresh_from_db()
    assert pause.lifted_at is None


@pytest.mark.parametrize(
    "wrong", [{"region": "atlantis"}, {"reason": "Whim"}, {"until": "soon"}, {"until_at": "2001-01-01T10:00"},
              {"reason": "Other"}]
)  # fmt: skip
def test_a_form_that_does_not_hold_pauses_nothing(world, client, olga, wrong):
    client.force_login(olga)
    assert client.post("/pauses/new", {"reason": "Freeze", **wrong}).status_code == 422
    assert not Pause.objects.exists()


def test_the_command_line_pauses_and_resumes(world):
    out = StringIO()
    call_command("pause", region="emea", reason="drill", until="2h", stdout=out)
    pause = Pause.objects.get()
    assert f"EMEA: paused. Resume it with: manage.py resume {pause.pk}" in out.getvalue()
    assert Entry.objects.get(verb="pause.set").actor == "cli"
    call_command("resume", str(pause.pk), stdout=out)
    pause.refresh_from_db()
    assert pause.lifted_at
    for options in ({}, {"everything": True, "region": "emea"}, {"region": "mars"}, {"region": "emea", "until": "x"}):
        with pytest.raises(CommandError):
            call_command("pause", reason="drill", stdout=out, **options)
    with pytest.raises(CommandError, match="already goes on"):
        call_command("resume", str(pause.pk), stdout=out)
    assert Pause.objects.count() == 1


def test_the_command_line_tells_drills_stages_and_puts_off(world):
    def run(*argv, **options):
        out = StringIO()
        call_command(*argv, stdout=out, **options)
        return out.getvalue()

    world.ask(2, region="emea/de")
    assert "2 questions would wait" in run("pause", region="emea", dry_run=True)
    assert "nothing was paused. The lock took" in run("pause", everything=True, drill=True)
    assert not Pause.objects.filter(is_drill=False).exists()
    with pytest.raises(CommandError, match="Say why"):
        run("pause", region="emea")
    run("pause", region="emea", agent="inbound-intent", segment="smb", play="intro", connection="mail", reason="x")
    wide = pauses.set_pause(Section(region=region("emea")), reason="y", actor="cli")
    pause = Pause.objects.get(reason="x")
    assert f"{pause.pk}  EMEA · SMB · Inbound intent · Intro mail · Mail: Paused" in run("resume")
    assert "lets 10 % through" in (said := run("resume", str(pause.pk), share=10))
    assert "stays closed by the pause of EMEA (the command line: y)" in said
    assert "Resuming, 10 % go" in run("resume")
    assert "stays paused until 2h" in run("resume", str(wide.pk), until="2h")
    wide.refresh_from_db()
    assert wide.until
    with pytest.raises(CommandError, match="is no time"):
        run("resume", str(wide.pk), until="soon")
    run("resume", str(pause.pk))
    with pytest.raises(CommandError, match="already goes on"):
        run("resume", str(pause.pk), share=50)


def test_until_is_read_as_people_write_it():
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert parse_until("90m", now=now) == now + timedelta(minutes=90)
    assert parse_until("2 h", now=now) == now + timedelta(hours=2)
    assert parse_until("never", now=now) is None
    with timezone.override("Europe/Berlin"):
        assert parse_until("2026-11-22T09:00", now=now) == datetime(2026, 11, 22, 8, tzinfo=UTC)
    for wrong in ("tomorrow", "0m", "2026-11-20T09:00", "900d", "2026-13-40T09:00"):
        with pytest.raises(ValueError):
            parse_until(wrong, now=now)


def test_the_boards_queries_do_not_grow(world, client, olga):
    for code in ("emea", "amer", "apac", "emea/de"):
        pauses.set_pause(Section(region=region(code)), reason="x", actor="cli")
    client.force_login(olga)
    client.get("/pauses")
    with CaptureQueriesContext(connection) as captured:
        client.get("/pauses")
    assert len(captured) <= 14, [one["sql"][:90] for one in captured]
