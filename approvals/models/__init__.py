"""People and their answers, one file a noun."""

from approvals.models.approval import Approval
from approvals.models.notice import Notice, Told
from approvals.models.person import Person, Role
from approvals.models.planting import Planting
from approvals.models.sign_in_rules import SignInRules
from approvals.models.token import ApiToken
from approvals.models.verdict import Call, Edit, Message, Snooze, Verdict

__all__ = [
    "ApiToken",
    "Approval",
    "Call",
    "Edit",
    "Message",
    "Notice",
    "Person",
    "Planting",
    "Role",
    "SignInRules",
    "Snooze",
    "Told",
    "Verdict",
]
