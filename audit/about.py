"""The entries about several subjects at once, for pages and exports that tell of many things."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from audit.ids import floor_id
from audit.timeline import Row


def about(subjects: Collection[str], *, verbs: Collection[str], since: datetime) -> list[Row]:
    """Their entries of these verbs from `since` on, oldest first, in one query; `seq` is left out (None).

    What was taken out of the database since (see audit.age) is not among them.
    """
    if not subjects:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, at, verb, actor, subject, agent, run, region, segment, account, request, body from audit_entry"
            " where subject = any(%s) and verb = any(%s) and id >= %s order by id",
            [sorted(subjects), list(verbs), floor_id(since)],
        )
        return [Row._make((*row[:-1], _detail(row[-1]), None)) for row in cursor.fetchall()]


def _detail(body: Any) -> dict[str, Any]:
    detail = orjson.loads(bytes(body)).get("detail", {})
    return detail if isinstance(detail, dict) else {}
