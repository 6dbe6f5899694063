"""An action: one external side effect, with a frozen payload and its hash. A growing table."""

from typing import Any

import orjson
from django.db import models


class State(models.TextChoices):
    SHADOW = "shadow", "Would have acted"
    WAITING = "waiting", "Waiting for approval"
    READY = "ready", "Ready"
    HELD = "held", "Held by a pause"
    SENDING = "sending", "Sending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Unknown"
    REFUSED = "refused", "Refused"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Action(models.Model):
    """
    Moves by compare-and-set on (`state`, `attempt`) only. `payload` is canonical JSON, `payload_hash` its SHA-256.

    `contact` is the keyed hash of whom it reaches; `undo_of` names the action that this one takes back.
    """

    id = models.UUIDField(primary_key=True)
    run = models.ForeignKey(
        "Run", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="actions"
    )
    agent = models.ForeignKey("Agent", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    play = models.ForeignKey("Play", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    play_version = models.IntegerField()
    step = models.TextField()
    connection = models.ForeignKey("Connection", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    policy = models.ForeignKey("Policy", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    region = models.ForeignKey("Region", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    segment = models.ForeignKey("Segment", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    account = models.TextField()
    contact = models.BinaryField(null=True)
    target = models.TextField(help_text="To whom or where, in words.")
    payload = models.BinaryField()
    payload_hash = models.BinaryField()
    state = models.TextField(choices=State)
    why = models.TextField(help_text="What put it in this state, in words.")
    not_before = models.DateTimeField()
    attempt = models.UUIDField(null=True)
    flight_until = models.DateTimeField(null=True)
    approval = models.ForeignKey(
        "approvals.Approval", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, null=True
    )
    permitted_by = models.TextField(help_text="Whose leave it has: clause:<id> or person:<id>.")
    undo_of = models.UUIDField(null=True)
    tries = models.SmallIntegerField()
    received_at = models.DateTimeField(help_text="When its signal was received.")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    is_demo = models.BooleanField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.step} {self.state}"

    @property
    def document(self) -> Any:
        """The payload, parsed."""
        return orjson.loads(bytes(self.payload))


class Attempt(models.Model):
    """One permission to send, given at the gate, and what came of it. A growing table."""

    id = models.UUIDField(primary_key=True)
    action = models.ForeignKey(
        "Action", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="attempts"
    )
    connection = models.ForeignKey("Connection", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    at = models.DateTimeField()
    permit_until = models.DateTimeField()
    flight_until = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    verdict = models.TextField(default="")
    status = models.IntegerField(null=True)
    ms = models.IntegerField(null=True)
    detail = models.TextField(default="")
    receipt = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
