"""An approval: a frozen question to persons, and the verdict. It knows nothing of agents; scopes are plain text."""

from django.db import models

from approvals.models.person import Person


class State(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Step(models.IntegerChoices):
    """Whose turn it is, when nobody answers."""

    ASSIGNED = 0, "Whoever may, or whom it was handed to"
    DEPUTY = 1, "The deputy was called"
    OWNER = 2, "The owner was called"


class Approval(models.Model):
    """
    `question` is shown as it was frozen; `binding` is the hash that the form posts back and the gate recomputes.

    Approved once `needed` different persons said yes: the database refuses it before (migration `verdicts`).
    """

    id = models.UUIDField(primary_key=True)
    subject = models.CharField(max_length=80, help_text="What is asked about, e.g. action:<uuid>.")
    question = models.JSONField()
    binding = models.BinaryField(max_length=32)
    agent = models.CharField(max_length=80)
    region = models.CharField(max_length=80)
    segment = models.CharField(max_length=80)
    risk = models.CharField(max_length=8)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    needed = models.PositiveSmallIntegerField(default=1, help_text="How many different persons must say yes.")
    editable = models.JSONField(default=list, blank=True, help_text="Paths in the payload that may be edited.")
    opened_at = models.DateTimeField()
    warn_at = models.DateTimeField(null=True, blank=True, help_text="From when on it expires soon.")
    expires_at = models.DateTimeField()
    assigned_to = models.ForeignKey(
        Person,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned",
        help_text="Who sees it first.",
    )
    step = models.PositiveSmallIntegerField(choices=Step, default=Step.ASSIGNED)
    next_at = models.DateTimeField(
        null=True, blank=True, help_text="When the next in turn is called, if nobody has answered."
    )
    editors = models.JSONField(default=list, blank=True, help_text="Ids of those who edited what is asked.")
    supersedes = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    planted = models.BooleanField(default=False, help_text="Asked to see whether a no comes; nothing hangs on it.")
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="verdicts")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["expires_at", "id"], condition=models.Q(state="waiting"), name="approval_waiting"),
            models.Index(fields=["next_at"], condition=models.Q(state="waiting"), name="approval_next"),
            models.Index(fields=["agent"], condition=models.Q(state="waiting"), name="approval_of_agent"),
            models.Index(fields=["subject"], name="approval_subject"),
            models.Index(fields=["-decided_at"], condition=~models.Q(state="waiting"), name="approval_decided"),
            models.Index(fields=["agent", "-opened_at"], condition=models.Q(planted=True), name="approval_planted"),
        ]
        constraints = [
            models.CheckConstraint(
                name="approval_verdict_has_a_person",
                condition=~models.Q(state__in=["approved", "rejected"])
                | models.Q(decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(name="approval_needs_somebody", condition=models.Q(needed__gte=1)),
            models.UniqueConstraint(
                fields=["subject"], condition=models.Q(state="waiting"), name="approval_waits_once_a_subject"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.state}"

    @property
    def given(self) -> int:
        """How many persons have said yes to what is asked now."""
        return self.answers.filter(said="yes", voided_at=None).count()
