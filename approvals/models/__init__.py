"""People and their answers, one file a noun."""

from approvals.models.approval import Approval
from approvals.models.notice import Notice, Told
from approvals.models.person import Person, Role

__all__ = ["Approval", "Notice", "Person", "Role", "Told"]
