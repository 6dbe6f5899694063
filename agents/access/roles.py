"""What each role starts with. Grants on agents, regions and segments refine it."""

from agents.models.agent import Stage
from approvals.models import Role

SEE = "see"
PAUSE = "pause"
APPROVE = "approve"
BUILD = "build"
CONNECT = "connect"
ADMINISTER = "administer"
PUBLISH = "publish"
RESEND = "resend"
TAKE = "take"

EVERYONE = frozenset({SEE})
GRANTS: dict[str, frozenset[str]] = {
    Role.ADMIN: EVERYONE | {PAUSE, APPROVE, BUILD, CONNECT, ADMINISTER, PUBLISH, RESEND, TAKE},
    Role.OPS: EVERYONE | {PAUSE, APPROVE, BUILD, PUBLISH, RESEND, TAKE},
    Role.OWNER: EVERYONE | {PAUSE, APPROVE, BUILD, PUBLISH, RESEND},
    Role.REP: EVERYONE | {APPROVE},
    Role.ENGINEER: EVERYONE | {BUILD, CONNECT, RESEND},
    Role.AUDITOR: EVERYONE,
}
"""What each role may, unless the thing itself narrows it. An owner's building, publishing and resending are
kept to their own agents. An auditor reads and changes nothing, whatever they are granted."""
OWN_ONLY = frozenset({BUILD, PUBLISH, RESEND})
ANSWERABLE = tuple(role for role, verbs in GRANTS.items() if verbs >= {PAUSE, PUBLISH})
"""The roles that may answer for an agent, as owner or deputy: they can pause it and publish for it."""
WORKING = (Stage.SHADOW, Stage.SUPERVISED, Stage.AUTONOMOUS)
"""The stages past draft and before retired."""
