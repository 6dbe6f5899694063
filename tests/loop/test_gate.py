"""What the gate does when the world changes while it waits."""

import threading

import psycopg
import pytest
from django.db import connection

from agents.loop.decide import decide
from agents.loop.gate import gate
from agents.loop.hot import Hot, hot
from agents.models import Action
from agents.pauses import Lock
from tests import making, told
from tests.running import until

MOVE = "UPDATE agents_region SET parent_id = %s, code = 'amer/de' WHERE id = %s"
LOCK = "SELECT pg_advisory_xact_lock(%s, %s)"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = %s AND objid = %s"


@pytest.mark.parametrize("pausing", [True, False], ids=["while the new parent is paused", "alone"])
def test_a_region_that_moves_while_the_gate_waits_is_locked_where_it_is_then(workspace, alice, pausing):
    old, new, region = making.region("emea"), making.region("amer"), making.region("emea/de")
    making.agent(making.play(making.sandbox()), alice)
    making.signals([{"region": region}])
    decide(hot)
    hot.close()
    said = []

    def pass_the_gate():
        try:
            said.append(len(gate(mine)))
        except psycopg.errors.LockNotAvailable:
            said.append("not available")

    mine = Hot()
    with workspace.connect() as mover, workspace.connect() as pauser, pauser.transaction():
        if pausing:
            pauser.execute(LOCK, [Lock.REGION, new.pk])
        with mover.transaction():
            mover.execute(LOCK, [Lock.REGION, old.pk])
            told.execute(mover, MOVE, [new.pk, region.pk])
            passing = threading.Thread(target=pass_the_gate)
            passing.start()
            until(lambda: _waits(old.pk), seconds=10, what="the gate waits")
        passing.join(10)
        assert said == (["not available"] if pausing else [1])
    mine.close()
    assert Action.objects.get().state == ("ready" if pausing else "sending")


def _waits(region: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [Lock.REGION, region])
        return cursor.fetchone()[0] == 1
