"""A shop's sessions through the running system: all accounted for, and the far sides hold what the record says."""

import json
import re
import signal

from django.test import Client

from agents.models import Action, DeadLetter, Signal, Source
from approvals.models import Person
from bench.shoppers.shop import address
from tests.replay.conftest import sessions
from tests.running import Process, until

EVERY = 10


def test_sessions_are_replayed_delivered_and_told_apart_by_revenue(build, worker, file):
    size = len(file.read_text().splitlines()) - 1
    shop = build(*(address(f"{file.name}#{line}") for line in range(2, size + 2, EVERY)))
    worker(queues="loop,sweep,paging", concurrency=2)
    bought = sum(line.endswith(",TRUE") for line in file.read_text().splitlines())

    report = shop.replay(file, "--source", "shop", "--outcome", "Revenue=TRUE")

    assert report["lines"] == report["accounted"] == report["accepted"] == size
    assert report["signals"] == {"done": size}
    assert report["left"] == report["dead"] == report["refused"] == 0
    assert sum(report["runs"].values()) == 2 * size
    assert report["runs"]["never"] > 0
    assert report["actions"]["waiting"] > 0
    assert {"delivered", "refused", "waiting"} == set(report["actions"])
    assert any("do-not-contact" in why for why in report["refusals"])
    assert any("contact lock" in why for why in report["refusals"])
    assert report["delivered_ms"]["p50"] <= report["delivered_ms"]["p95"] <= report["delivered_ms"]["p99"]

    delivered = Action.objects.filter(state="delivered").select_related("connection")
    said = {kind: {str(a.pk) for a in delivered if a.connection.kind == kind} for kind in ("http", "email")}
    assert set(shop.receiver.counts) == said["http"]
    assert set(shop.mailbox.counts) == said["email"]
    assert {*shop.receiver.counts.values(), *shop.mailbox.counts.values()} == {1}
    assert len(said["http"]) == report["by_connection"]["call-desk"]["delivered"] > 0
    assert len(said["email"]) == report["by_connection"]["post-office"]["delivered"] > 0

    ends = {end["acted"]: end for end in report["ends"] if end["agent"] == "basket-rescue"}
    assert report["outcomes"] == {"accepted": bought, "duplicate": 0, "refused": 0}
    assert ends[True]["hits"] + ends[False]["hits"] == bought
    assert ends[True]["runs"] + ends[False]["runs"] == size
    assert _split_on_page() == [(one["hits"], one["runs"]) for one in (ends[True], ends[False])]

    again = shop.replay(file, "--source", "shop", "--outcome", "Revenue=TRUE")
    assert (again["accepted"], again["duplicate"]) == (0, size)
    assert again["outcomes"] == {"accepted": 0, "duplicate": bought, "refused": 0}
    assert again["actions"] == report["actions"]
    assert {*shop.receiver.counts.values(), *shop.mailbox.counts.values()} == {1}


def test_what_tells_the_outcome_is_kept_out_of_the_signal(build, tmp_path, rng):
    shop = build()
    file = sessions(tmp_path / "sessions.csv", rng, size=20)
    report = shop.replay(file, "--patience", "0.1", "--outcome", "sale:Revenue=TRUE")
    documents = [signal.document for signal in Signal.objects.all()]
    assert len(documents) == 20
    assert all("Revenue" not in document and "PageValues" in document for document in documents)
    assert report["left"] == 20, "no worker is there"
    assert report["outcomes"] == {"accepted": 0, "duplicate": 0, "refused": 0}, "nor is any outcome told too early"


def test_ctrl_c_reports_so_far_and_the_same_again_goes_on(build, tmp_path, rng):
    shop = build()
    file = sessions(tmp_path / "sessions.csv", rng, size=300)
    process = shop.start(file, "--rate", "100")
    until(lambda: Signal.objects.count() >= 50, seconds=30, what="50 signals")
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "The same again goes on" in complained
    sent = int(re.search(r'"accepted": (\d+)', said)[1])
    assert 50 <= sent == Signal.objects.count() < 300
    report = shop.replay(file, "--patience", "0.1")
    assert (report["accepted"], report["duplicate"]) == (300 - sent, sent)


def test_a_web_server_that_restarts_is_waited_for(build, tmp_path, rng):
    shop = build()
    file = sessions(tmp_path / "sessions.csv", rng, size=300)
    process = shop.start(file, "--rate", "100", "--patience", "0.1")
    until(lambda: Signal.objects.count() >= 50, seconds=30, what="50 signals")
    shop.web.kill()
    back = Process(shop.web.argv, shop.web.env, name="web")
    try:
        said, complained = process.communicate(timeout=60)
    finally:
        back.kill()
    assert process.returncode == 0, complained
    assert re.search(r'"accounted": 300\b', said)
    assert Signal.objects.count() == 300


def _split_on_page() -> list[tuple[int, int]]:
    """What Basket rescue's page says of those it acted on and the rest: ended in revenue, of how many."""
    client = Client()
    client.force_login(Person.objects.get(email="mira@shop.example"), "console.backend.PersonBackend")
    split = client.get("/agents/basket-rescue").context["split"]
    assert [one["title"] for one in split] == ["Acted on", "The rest"]
    return [(one["group"].hits, one["group"].runs) for one in split]


def test_a_source_that_takes_few_at_a_time_is_waited_for(build, tmp_path, rng):
    shop = build()
    Source.objects.update(rate_limit=40)
    file = sessions(tmp_path / "sessions.csv", rng, size=100)
    report = shop.replay(file, "--batch", "20", "--patience", "0.1")
    assert (report["accepted"], report["duplicate"]) == (100, 0)
    assert report["seconds"] > 1


def test_a_source_that_is_switched_off_says_so(build, tmp_path, rng):
    shop = build()
    Source.objects.update(is_active=False)
    process = shop.start(sessions(tmp_path / "sessions.csv", rng, size=10), "--patience", "0.1")
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "This source is switched off. Switch it on under Sources." in complained
    assert json.loads(said)["accounted"] == 0


def test_what_the_mapping_cannot_read_is_dead_and_warned_of(build, tmp_path):
    shop = build()
    file = tmp_path / "some.ndjson"
    file.write_text('{"id": "a", "account": "x", "Region": 1}\n{"Region": 2}\n{"id": "a", "account": "y"}\n')
    Source.objects.update(mapping={"account": "account"})
    report = shop.replay(file, "--patience", "0.1")
    assert (report["accepted"], report["dead"]) == (1, 2), "one without an account, one with an id that was taken"
    assert report["accounted"] == 3
    assert DeadLetter.objects.count() == 2
