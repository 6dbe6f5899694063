"""An account: who the signals are about, with the bounded history that agents see across signals."""

from django.db import models


class Account(models.Model):
    """The row is also the lock under which one account's signals are decided one after another."""

    key = models.TextField(unique=True)
    name = models.TextField()
    region = models.ForeignKey("Region", on_delete=models.PROTECT)
    segment = models.ForeignKey("Segment", on_delete=models.PROTECT)
    history = models.JSONField(default=dict, help_text="agents.rules.history says the shape; bounded.")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    is_demo = models.BooleanField(default=False)

    class Meta:
        ordering = ["-last_seen"]
        indexes = [models.Index(fields=["-last_seen", "-id"], name="account_recent")]

    def __str__(self) -> str:
        return self.name or self.key
