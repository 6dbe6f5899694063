"""An incident: something broke; its owner is told, then the deputy, until someone takes it."""

from django.db import models

from approvals.models import Person


class Incident(models.Model):
    """At most one is open for one agent or connection and kind; a repeat counts up instead."""

    class Kind(models.TextChoices):
        CONNECTION = "connection", "A connection fails"
        FAILURE_RATE = "failure_rate", "Fails more often than accepted"
        STALLED = "stalled", "Work is not moving"
        RECORD = "record", "The record does not verify"
        OUTLET = "outlet", "Checkpoints do not get out"

    class State(models.TextChoices):
        TRIGGERED = "triggered", "Triggered"
        TAKEN = "taken", "Taken"
        RESOLVED = "resolved", "Resolved"

    kind = models.CharField(max_length=14, choices=Kind)
    agent = models.ForeignKey("Agent", on_delete=models.PROTECT, null=True, related_name="incidents")
    connection = models.ForeignKey("Connection", on_delete=models.PROTECT, null=True, related_name="incidents")
    cause = models.CharField(max_length=300, help_text="One line.")
    count = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.TRIGGERED)
    last_good_run = models.UUIDField(null=True)
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField()
    taken_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="taken_incidents")
    taken_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    next_page_at = models.DateTimeField(null=True, help_text="When the next person is told, unless someone takes it.")
    pages_sent = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "agent", "connection"],
                condition=~models.Q(state="resolved"),
                nulls_distinct=False,
                name="incident_open_once",
            )
        ]

    def __str__(self) -> str:
        return self.cause


class Page(models.Model):
    """One message that told one person of an incident."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="pages")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="pages")
    sent_at = models.DateTimeField()
    channel = models.CharField(max_length=20, default="e-mail")
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["id"]
