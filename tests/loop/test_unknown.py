"""Unknowns that the far side is asked about: all at once, each in its turn, and sent once more at most."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents import watchdog
from agents.loop.decide import decide
from agents.loop.gate import gate
from agents.loop.hot import Hot
from agents.models import Action, Attempt
from audit.models import Entry
from tests import making, told

pytestmark = pytest.mark.usefixtures("workspace")
SLOW_SECONDS = 0.4


class FarSide(BaseHTTPRequestHandler):
    """Answers a look-up with what the server's `status` gives for the action's id, and slowly."""

    def do_GET(self) -> None:
        time.sleep(SLOW_SECONDS)
        self.send_response(self.server.status(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def far():
    server = ThreadingHTTPServer(("127.0.0.1", 0), FarSide)
    server.daemon_threads = True
    server.status = lambda action: 404
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hot():
    made = Hot()
    yield made
    made.close()
    watchdog.hot.close()


@pytest.fixture
def lost(far, hot, alice, monkeypatch):
    """Loses the answers of so many signals' actions, which the gate let pass; their ids, in order."""
    monkeypatch.setattr(watchdog, "_last_looked_at", watchdog.UUID(int=0))
    url = f"http://127.0.0.1:{far.server_port}"
    making.agent(making.play(making.http(url, lookup_path="/things/{action_id}", lookup_after=60)), alice)

    def lose(count):
        making.signals([{} for _ in range(count)])
        while decide(hot).signals:
            pass
        return permit_and_lose(hot)

    return lose


def permit_and_lose(hot):
    permitted = gate(hot)
    told.execute(
        hot.connection,
        "UPDATE agents_action SET flight_until = clock_timestamp() - '1 hour'::interval WHERE state = 'sending'",
    )
    watchdog._overdue()
    return sorted(one.action for one in permitted)


def test_what_is_not_there_is_sent_once_more_and_then_left_to_a_person(hot, lost):
    (action,) = lost(1)
    watchdog._resolve_unknown()
    assert Action.objects.get().state == "ready"
    assert permit_and_lose(hot) == [action]
    for _ in range(2):
        watchdog._resolve_unknown()
        assert Action.objects.get().state == "unknown"
    assert Attempt.objects.count() == 2
    assert Entry.objects.filter(verb="action.resolved").count() == 1


def test_what_turns_up_after_it_was_sent_once_more_is_delivered(far, hot, lost):
    lost(1)
    watchdog._resolve_unknown()
    permit_and_lose(hot)
    far.status = lambda action: 200
    watchdog._resolve_unknown()
    assert Action.objects.get().state == "delivered"


def test_all_are_asked_at_once_and_never_for_long(far, lost, monkeypatch):
    assert len(lost(8)) == 8
    monkeypatch.setattr(watchdog, "LOOKUP_SECONDS", SLOW_SECONDS / 4)
    began = time.monotonic()
    watchdog._resolve_unknown()
    assert time.monotonic() - began < SLOW_SECONDS
    assert set(Action.objects.values_list("state", flat=True)) == {"unknown"}
    monkeypatch.undo()
    began = time.monotonic()
    watchdog._resolve_unknown()
    assert time.monotonic() - began < 4 * SLOW_SECONDS
    assert set(Action.objects.values_list("state", flat=True)) == {"ready"}


def test_those_nobody_can_tell_of_keep_no_later_one_waiting(far, lost, monkeypatch):
    monkeypatch.setattr(watchdog, "LOOKUPS", 2)
    ids = lost(5)
    far.status = lambda action: 200 if action == str(ids[-1]) else 503
    for _ in range(3):
        watchdog._resolve_unknown()
    assert Action.objects.get(pk=ids[-1]).state == "delivered"
    assert Action.objects.filter(state="unknown").count() == 4
