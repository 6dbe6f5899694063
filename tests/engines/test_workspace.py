import json
import urllib.error
import urllib.request


def test_people_signals_and_record_are_ready_on_a_live_server(live_web, workspace, worker):
    def ready():
        try:
            with urllib.request.urlopen(f"{live_web.url}/health/ready", timeout=10) as answer:
                return json.load(answer)["checks"]
        except urllib.error.HTTPError as error:
            return json.load(error)["checks"]

    before = ready()
    assert {name for name, each in before.items() if not each["ok"]} == {"workers", "sealer"}
    worker()
    assert ready()["workers"]["ok"]
