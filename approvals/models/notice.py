"""A notice: one mail that tells one person of questions; and what they were told of, so that it is told once."""

from django.db import models

from approvals.models.person import Person


class Notice(models.Model):
    """Claimed before it is sent. One that nobody settled is sent again, under the same id, by whoever finds it late."""

    id = models.UUIDField(primary_key=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="notices")
    claimed_at = models.DateTimeField(help_text="When someone last set out to send it.")
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=1)
    error = models.CharField(max_length=300, blank=True, help_text="What the last try came to; no addresses.")

    class Meta:
        indexes = [
            models.Index(fields=["person", "-claimed_at"], name="notice_last"),
            models.Index(fields=["claimed_at"], condition=models.Q(sent_at=None), name="notice_unsent"),
        ]

    def __str__(self) -> str:
        return f"to {self.person_id}"


class Told(models.Model):
    """That a person was told this of a question. No foreign key of the database's: questions are removed without it."""

    class Kind(models.TextChoices):
        ASKED = "asked", "Waits for you"
        LATE = "late", "Expires soon"
        HANDED = "handed", "Handed to you"
        QUERIED = "queried", "You are asked something about it"
        REPLIED = "replied", "Your question was answered"
        ESCALATED = "escalated", "Nobody answered: it is yours now"
        ANEW = "anew", "It changed, and is asked anew"
        WITHDRAWN = "withdrawn", "It is no longer asked"
        PLANTED = "planted", "It was planted"

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="lines")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="told_of")
    approval = models.ForeignKey(
        "approvals.Approval", on_delete=models.DO_NOTHING, db_constraint=False, related_name="told"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    key = models.CharField(max_length=40, blank=True, help_text="Which of several of the kind; empty for the only one.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["approval", "person", "kind", "key"], name="told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.approval_id}"
