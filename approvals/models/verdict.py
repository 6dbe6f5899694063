"""What persons said to a question: verdicts, edits, messages, and who was called to it."""

from django.db import models

from approvals.models.approval import Approval
from approvals.models.person import Person
from approvals.moments import sane


class Verdict(models.Model):
    """
    One person's answer, to exactly what `binding` hashes. Void once they took it back, or what was asked changed.

    A person answers a question once: the database refuses a second standing answer of theirs.
    """

    class Said(models.TextChoices):
        YES = "yes", "Yes"
        NO = "no", "No"

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="answers")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="answers")
    said = models.CharField(max_length=3, choices=Said)
    binding = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    took_ms = models.PositiveIntegerField(help_text="From when the person could look at it until the answer.")
    bulk = models.BooleanField(default=False, help_text="Given together with others.")
    note = models.TextField(blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["approval", "person"], condition=models.Q(voided_at=None), name="verdict_once_a_person"
            ),
        ]
        indexes = [models.Index(fields=["person", "-at"], name="verdict_of_person")]

    def __str__(self) -> str:
        return f"{self.said} to {self.approval_id}"


class Edit(models.Model):
    """What a person changed in what is asked: `changes` is {path: [before, after]}, the hashes are the payload's."""

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="edits")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="edits")
    at = models.DateTimeField()
    changes = models.JSONField()
    before_hash = models.BinaryField(max_length=32)
    after_hash = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"edit of {self.approval_id}"


class Message(models.Model):
    """One line of the talk about a question. `to` is whom a question is put to; a reply is to everybody in the talk."""

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="messages")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="messages")
    to = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"about {self.approval_id}"


class Snooze(models.Model):
    """Until when a person does not want to see a question; for everybody else it stays where it is."""

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="snoozes")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="snoozes")
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["approval", "person"], name="snooze_once_a_person"),
            sane("snooze_until_sane", "until"),
        ]

    def __str__(self) -> str:
        return f"{self.approval_id} until {self.until:%Y-%m-%d %H:%M}"


class Call(models.Model):
    """A person is to be told something of a question. Written with the change it tells of; the mails are made of it."""

    class Kind(models.TextChoices):
        HANDED = "handed", "Handed to you"
        ESCALATED = "escalated", "Nobody answered: it is your turn"
        QUERIED = "queried", "You are asked something about it"
        REPLIED = "replied", "Your question was answered"
        ANEW = "anew", "It changed, and is asked anew"
        WITHDRAWN = "withdrawn", "It was withdrawn"
        PLANTED = "planted", "It was planted"

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="calls")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="calls")
    kind = models.CharField(max_length=10, choices=Kind)
    by = models.ForeignKey(Person, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["person", "-at"], name="call_of_person")]

    def __str__(self) -> str:
        return f"{self.kind} {self.approval_id}"
