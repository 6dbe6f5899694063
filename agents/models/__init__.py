"""Every noun of this room, one file each."""

from agents.models.account import Account
from agents.models.action import Action, Attempt
from agents.models.agent import Agent, Stage
from agents.models.connection import Connection
from agents.models.contact import ContactLock, DoNotContact
from agents.models.grant import Grant
from agents.models.incident import Incident, Page
from agents.models.metric import Metric
from agents.models.outcome import Outcome
from agents.models.pause import Hold, Pause
from agents.models.play import Play, PlayVersion, Risk
from agents.models.policy import Policy
from agents.models.proposal import PolicyDraft, PolicyProposal
from agents.models.route import Route
from agents.models.run import Run
from agents.models.scope import UNASSIGNED, Region, Segment
from agents.models.signal import DeadLetter, Seen, Signal
from agents.models.source import Source

__all__ = [
    "UNASSIGNED", "Account", "Action", "Agent", "Attempt", "Connection", "ContactLock", "DeadLetter", "DoNotContact",
    "Grant", "Hold", "Incident", "Metric", "Outcome", "Page", "Pause", "Play", "PlayVersion", "Policy", "PolicyDraft",
    "PolicyProposal", "Region", "Risk", "Route", "Run", "Seen", "Segment", "Signal", "Source", "Stage",
]  # fmt: skip
