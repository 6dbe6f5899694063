"""
Questions about actions: answered, edited, handed on, talked about, put off, expired, withdrawn.

What each does to its action stands with it in one transaction, under the lock of the question; views call only this.
"""

from agents.questions.answers import UNDO_SECONDS, approve, reject, take_back
from agents.questions.bulk import Bulk, approve_many
from agents.questions.common import is_frozen, require_eligible
from agents.questions.due import escalate_due, expire_due
from agents.questions.edits import edit_and_approve
from agents.questions.handing import candidates, hand_to
from agents.questions.talk import ask, for_inbox, reply, snooze, snoozed_by, unsnooze
from approvals.questions import TAKEN_BACK, Stale

__all__ = [
    "TAKEN_BACK", "UNDO_SECONDS", "Bulk", "Stale", "approve", "approve_many", "ask", "candidates", "edit_and_approve",
    "escalate_due", "expire_due", "for_inbox", "hand_to", "is_frozen", "reject", "reply", "require_eligible", "snooze",
    "snoozed_by", "take_back", "unsnooze",
]  # fmt: skip
