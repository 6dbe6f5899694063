"""
Questions about actions: answered, edited, handed on, talked about, put off, expired, withdrawn.

What each does to its action stands with it in one transaction, under the lock of the question; views call only this.
"""

from agents.questions.answers import UNDO_SECONDS, approve, reject, take_back
from agents.questions.common import is_frozen
from agents.questions.due import expire_due
from approvals.questions import TAKEN_BACK, Stale

__all__ = ["TAKEN_BACK", "UNDO_SECONDS", "Stale", "approve", "expire_due", "is_frozen", "reject", "take_back"]
