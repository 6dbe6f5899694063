"""Every address of the URL conf, filled in with the objects of a demo workspace that has been at work."""

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from django.contrib.auth.tokens import default_token_generator
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from agents import paging, pauses, questions
from agents.changes.proposal import put_forward
from agents.models import Action, Agent, Connection, Incident, Play, PolicyProposal, Region, Run, Signal, Source
from agents.tasks import sweep
from agents.unsubscribe import unsubscribe_url
from approvals.models import Approval, Person
from audit import keys, seal
from audit.models import Leaf
from console.demo.build import build
from console.demo.trickle import Trickle
from tests.running import until

SIGNALS = 60
ASKED = {"audit/consistency": "?old=1"}
"""What a page has to be asked."""
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def furnish(url: str, password: str) -> dict[str, Person]:
    """Build the demo workspace, let its signals through the intake at `url` and its workers, and decide, pause and
    break something: one person of each role, by role."""
    staff = {person.role: person for person in reversed(build(password=password))}
    trickle, asked = Trickle(url, lambda: False, Random(1)), Approval.objects.filter(state="waiting")
    for _ in range(5):
        trickle.run(signals=trickle.sent + SIGNALS)
        until(_all_decided, seconds=60, what="every signal is decided", pause=0.5)
        if asked.count() >= 3:
            break
    sent = Action.objects.filter(state="delivered")
    until(lambda: sent.count() >= 3 and asked.count() >= 3, seconds=60, what="three went out, three questions wait")
    yes, no = Approval.objects.filter(state="waiting").order_by("id")[:2]
    questions.approve(yes.pk, person=staff["admin"], binding=bytes(yes.binding))
    questions.reject(no.pk, person=staff["admin"], binding=bytes(no.binding), reason="bad-timing")
    agent, connection = Agent.objects.get(slug="inbound-intent"), Connection.objects.earliest("pk")
    wider = {"clauses": [{"id": "any", "say": "alone"}]}
    put_forward(agent, person=staff["admin"], spec=wider, reason="They answer well")
    paging.open_incident("failure_rate", "Two of the last ten actions failed", actor="worker:watchdog", agent=agent)
    taken = paging.open_incident("connection", "It refuses its key", actor="worker:watchdog", connection_=connection)
    paging.take(taken, person=staff["owner"])
    for code in ("apac", "emea/de"):
        scope = pauses.Section(region=Region.objects.get(code=code))
        pauses.set_pause(scope, reason="Drill", actor="cli")
    pauses.lift(pauses.Pause.objects.earliest("pk"), actor="cli", why="The drill is over.")
    _seal()
    return staff


def _seal() -> None:
    with seal.direct_connection() as conn:
        frontier, signer = seal.load_frontier(conn), keys.signer(conn)
        while seal.seal_batch(conn, frontier, signer)[0]:
            pass


def _all_decided() -> bool:
    """Whether the workers have nothing left to decide; wakes them, as beat would."""
    sweep.delay()
    return not Signal.objects.filter(state="new").exists()


def examples() -> dict[str, Callable[[], dict[str, Any]]]:
    """What fills the parameters of an address, by how it begins."""
    return {
        "agents": lambda: {"slug": "inbound-intent", "number": 1},
        "runs": lambda: (lambda action: {"pk": action.run_id, "action": action.pk})(
            Action.objects.filter(state="delivered").latest("pk")
        ),
        "inbox": lambda: {"pk": Approval.objects.filter(state="waiting").earliest("expires_at").pk},
        "pauses": lambda: {"pk": pauses.Pause.objects.filter(lifted_at=None).earliest("pk").pk},
        "proposals": lambda: {"pk": PolicyProposal.objects.latest("pk").pk},
        "incidents": lambda: {"pk": Incident.objects.earliest("pk").pk},
        "audit/retention": lambda: {"pk": 1},
        "audit": lambda: {"pk": Leaf.objects.latest("seq").entry, "form": "csv"},
        "signals": lambda: {"pk": Run.objects.latest("pk").signal_id},
        "accounts": lambda: {"key": Run.objects.latest("pk").account},
        "contacts": lambda: {"hash": _contact()},
        "unsubscribe": lambda: {"token": unsubscribe_url(bytes.fromhex(_contact())).rpartition("/")[2]},
        "sources": lambda: {"slug": Source.objects.earliest("pk").slug},
        "connections": lambda: {"slug": Connection.objects.earliest("pk").slug},
        "plays": lambda: {"slug": Play.objects.earliest("pk").slug},
        "people": lambda: {"pk": Person.objects.get(role="rep").pk, "token": 1},
        "scopes/regions": lambda: {"code": "emea/de"},
        "scopes/segments": lambda: {"code": "enterprise"},
        "settings": lambda: {"pk": 1},
        "api": lambda: {"pk": 1, "rest": "nowhere"},
        "sign-in": lambda: {"provider_id": "company"},
        "password": lambda: (lambda person: {
            "uidb64": urlsafe_base64_encode(force_bytes(person.pk)), "token": default_token_generator.make_token(person)
        })(Person.objects.earliest("pk")),
    }  # fmt: skip


def _contact() -> str:
    return bytes(Action.objects.exclude(contact=None).latest("pk").contact).hex()


def addresses() -> Iterator[tuple[str, str]]:
    """Each pattern of the URL conf as (its route, an address that it answers); AssertionError for one without."""
    for route in sorted(_routes(get_resolver().url_patterns)):
        fill = next((fill for start, fill in examples().items() if route.startswith(f"{start}/")), dict)
        given = fill() if "<" in route else {}
        missing = [name for name in PARAMETER.findall(route) if name not in given]
        assert not missing, f"tests/browser/places.py has no example for {', '.join(missing)} of “{route}”"
        path = PARAMETER.sub(lambda found, given=given: str(given[found[1]]), route)
        yield route, f"/{path}{ASKED.get(route, '')}"


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _routes(one.url_patterns, route)
        else:
            yield route
