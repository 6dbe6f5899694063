"""What nobody answered: passed on to the deputy, then to the owner, then expired."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agents.deadlines import FROZEN
from approvals import questions
from approvals.models import Approval
from audit.entries import Line, record

BATCH = 500
DUE = f"""
SELECT p.id FROM approvals_approval p WHERE p.state = 'waiting' AND p.expires_at <= %s AND NOT {FROZEN}
ORDER BY p.expires_at LIMIT %s FOR UPDATE OF p SKIP LOCKED
"""  # noqa: S608
CLOSE = """
UPDATE agents_action a SET state = 'expired', why = 'Nobody answered in time.', permitted_by = %s,
    settled_at = clock_timestamp()
FROM unnest(%s::uuid[]) AS v(id) WHERE a.id = v.id AND a.state = 'waiting' RETURNING a.id, a.run_id, a.account
"""


def expire_due(*, actor: str) -> int:
    """Close what nobody answered in time, but for what lies in a pause: expired, which is not rejected. How many."""
    count = 0
    while True:
        with transaction.atomic():
            closed = _expire(timezone.now(), actor)
        count += closed
        if closed < BATCH:
            return count


def _expire(at: datetime, actor: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(DUE, [at, BATCH])
        due = list(Approval.objects.filter(pk__in=[row[0] for row in cursor.fetchall()]).order_by("pk"))
        questions.expire([approval.pk for approval in due], at=at)
        cursor.execute(CLOSE, [actor, [UUID(approval.subject.partition(":")[2]) for approval in due]])
        actions = {f"action:{id_}": (run, account) for id_, run, account in cursor.fetchall()}
    _record(due, actions, actor)
    return len(due)


def _record(due: Sequence[Approval], actions: dict[str, tuple[UUID, str]], actor: str) -> None:
    lines = []
    for approval in due:
        run, account = actions.get(approval.subject, (None, ""))
        lines.append(
            Line(
                "action.expired" if run else "planted.expired",
                approval.subject if run else f"approval:{approval.pk}",
                actor,
                agent=approval.agent,
                run=run,
                region=approval.region,
                segment=approval.segment,
                account=account,
                detail={"approval": str(approval.pk), "binding": bytes(approval.binding).hex()},
            )
        )
    record(*lines)
