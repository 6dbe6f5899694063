"""Many who confirm, publish and decline at one moment: one of them is first, and the others are told."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from agents.changes.policy import PublishedSince
from agents.changes.proposal import Decided, confirm, decline, put_forward
from agents.models import Agent, Policy, PolicyProposal
from tests import making

pytestmark = pytest.mark.usefixtures("workspace")
NEVER = {"clauses": [{"id": "c1", "say": "never"}]}


def test_of_many_at_once_one_is_first(alice, person):
    ops = [person(f"Ops {n}", role="ops") for n in range(9)]
    agent = making.agent(making.play(making.sandbox()), alice, policy=making.ASK)
    for turn in range(5):
        base = Agent.objects.get().policy.version
        spec = {"clauses": [{"id": "c1", "say": "alone", "note": f"turn {turn}", "min_confidence": 90 - turn}]}
        proposal = put_forward(agent, person=alice, spec=spec, reason="x", base=base)
        start = Barrier(len(ops))

        def act(n, proposal=proposal, base=base, start=start):
            try:
                start.wait()
                if n == 0:
                    return put_forward(agent, person=ops[n], spec=NEVER, reason="Stop.", base=base)
                return decline(proposal.pk, person=ops[n], why="No.") if n < 4 else confirm(proposal.pk, person=ops[n])
            except (Decided, PublishedSince) as told:
                return told
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(ops)) as pool:
            done = list(pool.map(act, range(len(ops))))
        decided = [one for one in done[1:] if isinstance(one, PolicyProposal)]
        proposal.refresh_from_db()
        assert len(decided) <= 1
        assert proposal.state in ("live", "declined", "stale")
        assert Policy.objects.filter(reason="x").count() == PolicyProposal.objects.filter(state="live").count()
        if Agent.objects.get().policy.spec == NEVER:
            put_forward(agent, person=alice, spec=making.ASK, reason="again")
