"""What stands in the way of actions that are asked about: a yes to them would be held by a pause, or refused."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from agents.deadlines import HOLDS, PLACE_OF
from agents.models import Pause

IN_THE_WAY = f"""
SELECT a.id, 'pause', z.id::text, z.until FROM agents_action a {PLACE_OF} JOIN agents_pause z ON {HOLDS}
    WHERE a.id = ANY(%(actions)s::uuid[])
UNION ALL
SELECT a.id, 'lock', g.name, l.until FROM agents_action a
    JOIN agents_contactlock l ON l.contact = a.contact AND l.until > clock_timestamp() AND l.agent_id <> a.agent_id
    JOIN agents_agent g ON g.id = l.agent_id WHERE a.id = ANY(%(actions)s::uuid[])
UNION ALL
SELECT a.id, 'list', '', NULL FROM agents_action a JOIN agents_donotcontact d ON d.contact = a.contact
    WHERE a.id = ANY(%(actions)s::uuid[])
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One thing in the way: a `pause` (of `name`, by id `pause`), a contact `lock` of the agent `name`, or the
    do-not-contact `list`. `until`: when it ends by itself, None when it does not."""

    kind: str
    name: str
    until: datetime | None
    pause: int | None = None


def hindrances(actions: Iterable[UUID]) -> dict[UUID, list[Hindrance]]:
    """What stands in the way of each, as it is now; two queries at most."""
    found: dict[UUID, list[Hindrance]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(IN_THE_WAY, {"actions": list(actions)})
        rows = cursor.fetchall()
    ids = {int(name) for _, kind, name, _ in rows if kind == "pause"}
    pauses = (
        Pause.objects.select_related("agent", "region", "segment", "play", "connection").in_bulk(ids) if ids else {}
    )
    for action, kind, name, until in rows:
        pause = pauses.get(int(name)) if kind == "pause" else None
        found[action].append(Hindrance(kind, str(pause) if pause else name, until, pause.pk if pause else None))
    return found
