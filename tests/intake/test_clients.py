"""Official client libraries, unchanged but for host and key: every event once, however often it is sent."""

import shutil
import subprocess
from pathlib import Path

import pytest
import requests
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import http as http_v1
from rudderstack.analytics.client import Client as RudderStack
from segment.analytics.client import Client as Segment

from agents.models import DeadLetter, Signal

NODE_CLIENT = "@segment/analytics-node"


def calls(client, number):
    """One of the six calls, by turns, each with an id of its own."""
    user, id = f"user-{number}", f"{type(client).__module__}-{number}"
    match number % 6:
        case 0:
            client.identify(user, {"email": f"{user}@example.com", "name": "Ünï Code"}, message_id=id)
        case 1:
            client.track(user, "Plan Viewed", {"plan": "team", "value": 1.5, "list": [1, {"a": None}]}, message_id=id)
        case 2:
            client.page(user, "docs", "Start", {"url": "https://example.com/\u2028"}, message_id=id)
        case 3:
            client.screen(anonymous_id=user, name="Home", message_id=id)
        case 4:
            client.group(user, f"group-{number}", {"company": {"name": "Acme"}}, message_id=id)
        case 5:
            client.alias(f"before-{number}", user, message_id=id)


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("library", [Segment, RudderStack])
def test_segment_and_rudderstack(door, hostile, library, gzip):
    count, failed = hostile.of(1000), []
    for _ in range(2):
        client = library(door.key, host=door.url, gzip=gzip, max_retries=2, on_error=lambda *told: failed.append(told))
        for number in range(count):
            calls(client, number)
        client.flush()
        client.join()
    assert failed == []
    assert (Signal.objects.count(), DeadLetter.objects.count()) == (count, 0)
    assert set(Signal.objects.values_list("format", flat=True)) == {"segment"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("mode", ["binary", "structured", "structured 1.x", "batch"])
def test_cloudevents(door, hostile, mode):
    count = hostile.of(1000)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {door.key}"
    statuses = set()

    def send(headers, body):
        statuses.add(session.post(f"{door.url}/in/web", headers=dict(headers), data=body, timeout=20).status_code)

    for _ in range(2):
        batch = []
        for number in range(count):
            attributes = {
                "type": "com.example.visit",
                "source": "https://example.com/shop",
                "id": f"{number}",
                "subject": "Ünï",
            }
            data = {"account": "acme", "n": number}
            if mode == "structured 1.x":
                send(*http_v1.to_structured(http_v1.CloudEvent(attributes, data)))
                continue
            event = CloudEvent(attributes=attributes, data=data)
            if mode == "batch":
                batch.append(JSONFormat().write(event))
                continue
            message = http.to_binary_event(event) if mode == "binary" else http.to_structured_event(event)
            send(message.headers, message.body)
        for start in range(0, len(batch), 100):
            send(
                {"Content-Type": "application/cloudevents-batch+json"},
                b"[" + b",".join(batch[start : start + 100]) + b"]",
            )
    assert statuses == {202}
    assert (Signal.objects.count(), DeadLetter.objects.count()) == (count, 0)
    assert set(Signal.objects.values_list("account", flat=True)) == {"acme"}


def test_a_cloudevent_about_nobody_in_particular_is_its_sources(door):
    event = CloudEvent(attributes={"type": "com.example.ping", "source": "https://example.com/shop"}, data={"n": 1})
    message = http.to_structured_event(event)
    headers = {**message.headers, "X-Signalbox-Key": door.key}
    answer = requests.post(f"{door.url}/in/web", data=message.body, headers=headers, timeout=20)
    assert answer.json()["accepted"] == 1
    assert Signal.objects.get().account == "https://example.com/shop"


def test_segments_client_for_node(door, hostile, tmp_path):
    if not hostile.full:
        pytest.skip("fetches a client from npm: runs with --hostile=full")
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs node and npm")
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", NODE_CLIENT], cwd=tmp_path, capture_output=True
    )
    if installed.returncode:
        pytest.skip(f"npm could not install {NODE_CLIENT}")
    script = shutil.copy(Path(__file__).with_name("clients.js"), tmp_path)
    sent = subprocess.run(["node", script, door.url, door.key, "1000"], cwd=tmp_path, capture_output=True, timeout=120)
    assert sent.returncode == 0, sent.stderr.decode()
    assert (Signal.objects.count(), DeadLetter.objects.count()) == (1000, 0)
