"""A pause: a closed section. Any of agent, region, segment, play, connection; all given must match; none: all."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from approvals.models import Person
from approvals.moments import sane


class Pauses(models.QuerySet["Pause"]):
    def standing(self) -> "Pauses":
        """Those in force now, staged ones too, newest first."""
        ends = models.Q(until=None) | models.Q(until__gt=timezone.now())
        return self.filter(ends, lifted_at=None).with_parts()

    def with_parts(self) -> "Pauses":
        """With what each names, and by whom it was set."""
        return self.select_related("agent", "region", "segment", "play", "connection", "set_by", "lifted_by")


class Pause(models.Model):
    """
    Standing while `lifted_at` is empty and `until` is not past. Set, staged and lifted only by `agents.pauses`.

    A drill is a pause that never stood: `is_drill`, lifted as it was set.
    """

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
    share = models.SmallIntegerField(default=0, help_text="Per cent of runs that it lets through already.")
    is_drill = models.BooleanField(default=False)
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When it last let fewer through than before.")
    in_flight = ArrayField(models.UUIDField(), default=list, help_text="Attempts under way when it was last closed.")
    quiet_at = models.DateTimeField(null=True, blank=True, help_text="When the last of those was settled.")
    lock_ms = models.FloatField(null=True, help_text="How long the lock was waited for.")
    told_at = models.DateTimeField(null=True, help_text="When those concerned were mailed.")
    found = models.JSONField(default=dict, help_text="A drill: whom it concerns, who would be told, what was open.")

    objects = Pauses.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["id"], condition=models.Q(lifted_at__isnull=True), name="pause_standing")]
        constraints = [
            models.CheckConstraint(name="pause_share", condition=models.Q(share__gte=0, share__lt=100)),
            models.CheckConstraint(
                name="pause_drill_never_stands", condition=models.Q(is_drill=False) | models.Q(lifted_at__isnull=False)
            ),
            sane("pause_until_sane", "until"),
        ]

    def __str__(self) -> str:
        given = [self.region, self.segment, self.agent, self.play, self.connection]
        return " · ".join(str(part) for part in given if part) or "Everything"


class Hold(models.Model):
    """One action kept back by one pause, until `let_go_at`. A growing table; the gate writes it."""

    id = models.UUIDField(primary_key=True)
    pause = models.ForeignKey(
        "Pause", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="holds"
    )
    action = models.ForeignKey(
        "Action", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="holds"
    )
    turn = models.SmallIntegerField(help_text="When its turn comes in a staged resume, 0 to 99.")
    at = models.DateTimeField()
    let_go_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
