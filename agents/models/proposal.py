"""A proposal: boundaries that wait for a second person, or for the moment at which they go live."""

from django.db import models
from django.db.models import F, Q

from approvals.models import Person
from approvals.moments import sane


class PolicyProposal(models.Model):
    """
    Made from version `base` (0: none). At most one of an agent is open; it is stale once another version is published.

    The database refuses one that widens to be scheduled or go live without `decided_by`, someone else than who
    proposed it.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "Waits for a second person"
        SCHEDULED = "scheduled", "Goes live at its time"
        LIVE = "live", "Went live"
        DECLINED = "declined", "Declined"
        CANCELLED = "cancelled", "Taken back"
        STALE = "stale", "Overtaken"

    agent = models.ForeignKey("Agent", on_delete=models.CASCADE, related_name="proposals")
    base = models.PositiveIntegerField()
    spec = models.JSONField()
    reason = models.TextField()
    widens = models.BooleanField()
    proposed_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(auto_now_add=True)
    go_live_at = models.DateTimeField(null=True, help_text="None: at once.")
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    said = models.TextField(blank=True, help_text="Why it was declined, taken back, or did not go live.")
    policy = models.ForeignKey("Policy", on_delete=models.CASCADE, null=True, related_name="+")

    OPEN = (State.PROPOSED, State.SCHEDULED)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent"], condition=Q(state__in=["proposed", "scheduled"]), name="proposal_one_open"
            ),
            models.CheckConstraint(
                condition=Q(widens=False)
                | ~Q(state__in=["scheduled", "live"])
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="proposal_confirmed_by_another",
            ),
            sane("proposal_moment_sane", "go_live_at"),
        ]
        indexes = [models.Index(fields=["state", "go_live_at"], name="proposal_due")]

    def __str__(self) -> str:
        return f"boundaries proposed for {self.agent}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN


class PolicyDraft(models.Model):
    """What one person has typed into the form of one agent's boundaries, kept as typed: it need not compile."""

    agent = models.ForeignKey("Agent", on_delete=models.CASCADE, related_name="drafts")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    base = models.PositiveIntegerField(help_text="The version in force when it was begun; 0: none.")
    form = models.JSONField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "person"], name="policy_draft_one")]

    def __str__(self) -> str:
        return f"draft of {self.agent}"
