"""An outcome: what came of a run (meeting, reply, revenue), attributed to the agent that handled the signal."""

from django.db import models


class Outcome(models.Model):
    """`acted` says whether the run had delivered an action when the outcome arrived; it tells the two groups apart."""

    id = models.UUIDField(primary_key=True)
    run = models.ForeignKey(
        "Run", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="outcomes"
    )
    agent = models.ForeignKey("Agent", on_delete=models.CASCADE, related_name="outcomes")
    kind = models.CharField(max_length=60)
    value = models.DecimalField(max_digits=16, decimal_places=2)
    acted = models.BooleanField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    actor = models.CharField(max_length=80)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["agent", "kind", "received_at"], name="outcome_of_agent")]
        constraints = [models.UniqueConstraint(fields=["run", "kind"], name="outcome_once_a_run_and_kind")]
