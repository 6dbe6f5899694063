"""
Who may see and do what. The one door: lists, counts, pages and actions all ask here.

Roles are where a person starts. `may` says whether, `require` refuses; both take the verb and, where it matters, the
thing: an agent, a region, what belongs to them, or a play or source, which is as open to change as the agents at work
that use it. Where a person's role does not hold everywhere each verb holds where it was granted (`reach`), and
`visible` narrows every list to that. An agent past draft is changed by its owner, its deputy and whoever may publish;
an incident of it is theirs too, whatever their role. Nobody decides on what they built, and at high risk nor on what
they edited last; its owner, who did neither, does.
"""

from agents.access.answering import may_answer, may_answer_it, waiting_for
from agents.access.doing import may, may_somewhere, require, require_somewhere
from agents.access.reach import Reach, forget, fresh, is_everywhere, reach
from agents.access.roles import (
    ADMINISTER,
    ANSWERABLE,
    APPROVE,
    BUILD,
    CONNECT,
    EVERYONE,
    GRANTS,
    OWN_ONLY,
    PAUSE,
    PUBLISH,
    RESEND,
    SEE,
    TAKE,
    WORKING,
)
from agents.access.seen import sees_kind, visible

__all__ = [
    "ADMINISTER", "ANSWERABLE", "APPROVE", "BUILD", "CONNECT", "EVERYONE", "GRANTS", "OWN_ONLY", "PAUSE", "PUBLISH",
    "RESEND", "SEE", "TAKE", "WORKING", "Reach", "forget", "fresh", "is_everywhere", "may", "may_answer",
    "may_answer_it", "may_somewhere", "reach", "require", "require_somewhere", "sees_kind", "visible", "waiting_for",
]  # fmt: skip
