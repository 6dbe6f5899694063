"""A play: a pre-approved way to act, in steps, each an action through a connection."""

from django.db import models

from approvals.models import Person


class Risk(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"


class Play(models.Model):
    """
    The play as it is now. Saving a change makes the next `PlayVersion`; actions name the version they were made from.

    `steps`: a list of {"key", "connection" (slug), "payload" (templates), "delay_minutes", "undo" (templates or null)}.
    """

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    purpose = models.TextField(blank=True)
    risk = models.CharField(max_length=6, choices=Risk, default=Risk.LOW)
    version = models.PositiveIntegerField(default=1)
    steps = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    edited_by = models.ForeignKey(
        Person,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who made the version it is at.",
    )
    is_demo = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PlayVersion(models.Model):
    """What a play was at one version; the database refuses UPDATE and DELETE."""

    play = models.ForeignKey(Play, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    risk = models.CharField(max_length=6, choices=Risk)
    steps = models.JSONField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["play", "version"], name="play_version_once")]
