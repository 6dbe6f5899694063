"""What an agent or a connection went on to do since a moment: for whoever asks what a breakage led to."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from agents.access.reach import EVERYWHERE, Reach
from agents.models import Agent, Connection
from audit.ids import floor_id

MOST = 5_000
"""How far it counts; `Aftermath.more` says that there is more."""

_OF_AGENT = """
SELECT a.state, count(*) FROM (SELECT id FROM agents_run WHERE agent_id = %(key)s AND id >= %(since)s
ORDER BY id DESC LIMIT %(most)s) r
JOIN agents_action a ON a.run_id = r.id WHERE {seen} GROUP BY 1
"""
_OF_CONNECTION = """
SELECT t.verdict, count(*) FROM (SELECT verdict, action_id FROM agents_attempt
WHERE connection_id = %(key)s AND id >= %(since)s ORDER BY id DESC LIMIT %(most)s) t {seen} GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Actions of an agent, or attempts through a connection, by what became of them."""

    delivered: int
    failed: int
    unknown: int
    other: int

    @property
    def total(self) -> int:
        return self.delivered + self.failed + self.unknown + self.other


def aftermath(
    since: datetime, *, agent: Agent | None = None, connection_: Connection | None = None, reach: Reach = EVERYWHERE
) -> Aftermath:
    """What the agent decided, or the connection was handed, from `since` on, within `reach`; the newest MOST of it."""
    if agent is None and connection_ is None:
        return Aftermath(0, 0, 0, 0)
    seen, given = reach.sql("a", "agent", "region", "segment")
    sql, key = (_OF_AGENT, agent.pk) if agent else (_OF_CONNECTION, connection_.pk if connection_ else 0)
    join = f"JOIN agents_action a ON a.id = t.action_id WHERE {seen}"
    sql = sql.format(seen=seen if agent else "" if reach.everywhere else join)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"key": key, "since": floor_id(since), "most": MOST, **given})
        counts = dict(cursor.fetchall())
    named = {name: counts.pop(name, 0) for name in ("delivered", "failed", "unknown")}
    return Aftermath(**named, other=sum(counts.values()))
