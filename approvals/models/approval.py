"""An approval: a frozen question to a person, and the verdict. It knows nothing of agents; scopes are plain text."""

from django.db import models

from approvals.models.person import Person


class State(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Approval(models.Model):
    """`question` is shown as it was frozen; `binding` is the hash that the form posts back and the gate recomputes."""

    id = models.UUIDField(primary_key=True)
    subject = models.CharField(max_length=80, help_text="What is asked about, e.g. action:<uuid>.")
    question = models.JSONField()
    binding = models.BinaryField(max_length=32)
    agent = models.CharField(max_length=80)
    region = models.CharField(max_length=80)
    segment = models.CharField(max_length=80)
    risk = models.CharField(max_length=8)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="verdicts")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["expires_at", "id"], condition=models.Q(state="waiting"), name="approval_waiting"),
            models.Index(fields=["subject"], name="approval_subject"),
            models.Index(fields=["-decided_at"], condition=~models.Q(state="waiting"), name="approval_decided"),
        ]
        constraints = [
            models.CheckConstraint(
                name="approval_verdict_has_a_person",
                condition=~models.Q(state__in=["approved", "rejected"])
                | models.Q(decided_by__isnull=False, decided_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.state}"
