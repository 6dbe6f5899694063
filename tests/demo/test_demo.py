"""The demo workspace with real processes: built, fed, and removed while it runs, leaving a clean install."""

import re
import subprocess
import sys

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client

from agents import tasks
from agents.loop.hot import hot
from agents.models import Action, Agent, Region, Run, Segment, Signal, Source
from approvals.models import Person
from console.demo import trickle
from tests import making
from tests.running import ROOT, Process, until

GROWING = (
    "signal", "run", "action", "attempt", "account", "outcome", "deadletter", "seen", "contactlock", "donotcontact",
)  # fmt: skip
SIGNALS = trickle.WARM_UP


@pytest.fixture
def demo(workspace, live_web, worker, tmp_path):
    """Built, with a worker and a sealer; yields its trickle, running."""
    hot.close()
    call_command("demo", stdout=(tmp_path / "sign-ins.txt").open("w"))
    worker(queues="loop,sweep,paging", concurrency=2)
    sealer = Process([sys.executable, "manage.py", "seal"], workspace.env, name="sealer")
    argv = [sys.executable, "manage.py", "demo", "--trickle", "--url", live_web.url]
    running = Process(argv, workspace.env, name="trickle")
    yield running
    running.kill()
    sealer.kill()
    hot.close()


def remove(env: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "manage.py", "demo", "--remove", *options]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def left() -> dict[str, int]:
    """How many rows each growing table of agents holds."""
    return {name: apps.get_model("agents", name).objects.count() for name in GROWING}


def marked() -> dict[str, int]:
    """How many rows are marked as demo, by model."""
    models = [m for m in apps.get_models() if any(f.name == "is_demo" for f in m._meta.get_fields())]
    assert len(models) > 8
    return {m._meta.label: n for m in models if (n := m._default_manager.filter(is_demo=True).count())}


def test_a_running_demo_is_removed_whole_and_leaves_a_first_admin(demo, workspace, live_web):
    until(lambda: Signal.objects.count() >= SIGNALS, seconds=60, what="the demo's first signals")
    until(lambda: Action.objects.filter(state="delivered").count() >= 5, seconds=60, what="five deliveries")
    assert not Signal.objects.filter(is_demo=False).exists()
    assert not Run.objects.filter(is_demo=False).exists()

    nobody = remove(workspace.env)
    assert nobody.returncode == 1
    assert "--admin-email" in nobody.stderr
    assert Agent.objects.count() == 3

    done = remove(workspace.env, "--admin-email", "first@example.com")
    assert done.returncode == 0, done.stderr
    assert "Removed the demo workspace" in done.stdout

    assert marked() == {}
    assert left() == dict.fromkeys(GROWING, 0)
    assert (Agent.objects.count(), Source.objects.count()) == (0, 0)
    assert [one.code for tree in (Region, Segment) for one in tree.objects.all()] == ["unassigned", "unassigned"]
    (admin,) = Person.objects.all()
    assert (admin.email, admin.role, admin.is_active) == ("first@example.com", "admin", True)

    assert admin.check_password(re.search(r"password\s+(\S+)", done.stdout)[1])

    client = Client()
    client.force_login(admin, "console.backend.PersonBackend")
    for address in ("/", "/agents", "/runs", "/signals", "/inbox", "/audit", "/pauses", "/sources", "/connections"):
        assert client.get(address, follow=True).status_code == 200, address
    assert demo.alive(), "the trickle waits for another demo, it does not fail"
    verify = subprocess.run([sys.executable, "manage.py", "verify"], cwd=ROOT, env=workspace.env, capture_output=True)
    assert verify.returncode == 0, verify.stdout


def test_what_is_ones_own_survives_the_demo(demo, workspace, person):
    until(lambda: Run.objects.count() >= 5, seconds=60, what="five runs")
    owner = person("Ada", role="admin")
    connection = making.sandbox("mine")
    mine = making.agent(making.play(connection), owner, "mine")
    making.signals([{"account": "own", "region": Region.objects.get(code="emea/de")}])
    tasks.wake()
    until(lambda: Run.objects.filter(agent=mine, signal__is_demo=False).exists(), seconds=30, what="a run of my own")

    done = remove(workspace.env)
    assert done.returncode == 0, done.stderr
    assert "Germany" in done.stdout
    assert list(Agent.objects.all()) == [mine]
    assert set(Region.objects.values_list("code", flat=True)) == {"unassigned", "emea", "emea/de"}
    assert Run.objects.filter(agent=mine).count() >= 1
    assert marked() == {}
    assert Signal.objects.filter(external_id__startswith="s0-").count() == 1


def test_the_trickle_stops_when_asked(demo: Process):
    until(lambda: Signal.objects.exists(), seconds=60, what="a signal")
    assert demo.stop(seconds=15) == 0
    assert "demo signals sent" in demo.output()
