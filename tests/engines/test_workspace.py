import json
import urllib.error
import urllib.request

from agents import tasks
from tests.running import until


def test_people_signals_and_record_are_ready_on_a_live_server(live_web, workspace, worker):
    def ready():
        try:
            with urllib.request.urlopen(f"{live_web.url}/health/ready", timeout=10) as answer:
                return json.load(answer)["checks"]
        except urllib.error.HTTPError as error:
            return json.load(error)["checks"]

    before = ready()
    assert {name for name, each in before.items() if not each["ok"]} == {"workers", "sweeper", "sealer"}
    worker(queues="sweep,paging")
    tasks.sweep.delay()
    until(lambda: ready()["sweeper"]["ok"], seconds=20, what="a sweep")
    assert "queue loop" in ready()["workers"]["why"], "a keeper alone handles no signal"
    worker()
    until(lambda: ready()["workers"]["ok"], seconds=20, what="a worker of the loop")
