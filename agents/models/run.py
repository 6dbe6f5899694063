"""A run: one agent's handling of one signal. A growing table; written once, when the signal is decided."""

from django.db import models


class Verdict(models.TextChoices):
    ALONE = "alone", "Acts alone"
    ASK = "ask", "Asks"
    NEVER = "never", "Never"
    NONE = "none", "No play"


class Run(models.Model):
    """`verdict`, `clause` and `why` are what the boundaries said, `facts` what of; in `shadow` nothing is ever sent."""

    id = models.UUIDField(primary_key=True)
    signal = models.ForeignKey(
        "Signal", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="runs"
    )
    agent = models.ForeignKey(
        "Agent", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="runs"
    )
    region = models.ForeignKey("Region", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    segment = models.ForeignKey("Segment", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    play = models.ForeignKey("Play", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, null=True)
    policy = models.ForeignKey("Policy", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    account = models.TextField()
    contact = models.BinaryField(null=True)
    score = models.SmallIntegerField(help_text="0 to 100.")
    confidence = models.SmallIntegerField(help_text="0 to 99, per cent.")
    reasons = models.JSONField()
    verdict = models.TextField(choices=Verdict)
    clause = models.TextField()
    why = models.TextField()
    shadow = models.BooleanField()
    brain = models.TextField()
    received_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    is_demo = models.BooleanField()
    facts = models.JSONField(default=dict, help_text="What was decided on; agents.rules.facts reads it.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.id)
