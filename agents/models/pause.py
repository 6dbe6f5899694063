"""A pause: a closed section. Any of agent, region, segment, play, connection; all given must match; none: all."""

from django.db import models

from approvals.models import Person


class Pause(models.Model):
    """Standing while `lifted_at` is empty and `until` is not past. Set and lifted only by `agents.pauses`."""

    agent = models.ForeignKey("Agent", on_delete=models.PROTECT, null=True, blank=True)
    region = models.ForeignKey("Region", on_delete=models.PROTECT, null=True, blank=True)
    segment = models.ForeignKey("Segment", on_delete=models.PROTECT, null=True, blank=True)
    play = models.ForeignKey("Play", on_delete=models.PROTECT, null=True, blank=True)
    connection = models.ForeignKey("Connection", on_delete=models.PROTECT, null=True, blank=True)
    reason = models.TextField()
    set_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    set_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["id"], condition=models.Q(lifted_at__isnull=True), name="pause_standing")]

    def __str__(self) -> str:
        given = [self.region, self.segment, self.agent, self.play, self.connection]
        return " · ".join(str(part) for part in given if part) or "Everything"
