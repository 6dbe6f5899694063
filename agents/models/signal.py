"""A signal: something that happened, received once however often it is sent. A growing table."""

from typing import Any

import orjson
from django.db import models


class State(models.TextChoices):
    NEW = "new", "New"
    DONE = "done", "Heard"
    UNHEARD = "unheard", "Nobody listens"
    FAULTY = "faulty", "Could not be decided"
    ERASED = "erased", "Erased"


class Signal(models.Model):
    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey("Source", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    external_id = models.TextField()
    type = models.TextField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    account = models.TextField()
    account_name = models.TextField()
    person = models.TextField()
    email = models.TextField()
    contact = models.BinaryField(null=True, help_text="Keyed hash of the person.")
    region = models.ForeignKey("Region", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    segment = models.ForeignKey("Segment", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    fields = models.JSONField(help_text="What the mapping found besides.")
    format = models.TextField(help_text="A key of agents.rules.mapping_defaults.DEFAULTS.")
    payload = models.BinaryField(help_text="The event's JSON as received.")
    state = models.TextField(choices=State)
    is_demo = models.BooleanField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.external_id}"

    @property
    def document(self) -> Any:
        """The payload, parsed."""
        return orjson.loads(bytes(self.payload))


class Seen(models.Model):
    """
    Dedupe for ever: one row a (source, keyed hash of the id). `content` tells a repeat from a conflict.

    `signal_id` is the signal's id, or the dead letter's, which its signal will bear once it is replayed.
    """

    pk = models.CompositePrimaryKey("source_id", "hash")
    source_id = models.IntegerField()
    hash = models.UUIDField()
    content = models.BigIntegerField()
    signal_id = models.UUIDField()


class DeadLetter(models.Model):
    """
    What was accepted but not understood; kept, visible, and replayed once the mapping is mended.

    `external_id` is empty when no id was found. Once replayed, `signal_id` names the signal that it became or repeats.
    """

    class Kind(models.TextChoices):
        UNMAPPED = "unmapped", "Not understood"
        CONFLICT = "conflict", "Same id, other content"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        REPLAYED = "replayed", "Replayed"
        DISCARDED = "discarded", "Discarded"

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey("Source", on_delete=models.PROTECT, related_name="dead_letters")
    kind = models.CharField(max_length=10, choices=Kind)
    format = models.CharField(max_length=20)
    external_id = models.TextField(blank=True)
    envelope = models.BinaryField(help_text="The event as the format gave it to the mapping: JSON.")
    reason = models.TextField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    closed_at = models.DateTimeField(null=True)
    signal_id = models.UUIDField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["source", "-id"], condition=models.Q(state="open"), name="dead_letter_open")]

    @property
    def document(self) -> Any:
        """The envelope, parsed."""
        return orjson.loads(bytes(self.envelope))
