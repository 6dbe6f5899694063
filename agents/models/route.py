"""A route: which signals an agent listens to."""

from django.db import models


class Route(models.Model):
    """A signal goes to the agent when source (none: any), type (none: any) and condition all match."""

    agent = models.ForeignKey("Agent", on_delete=models.CASCADE, related_name="routes")
    source = models.ForeignKey("Source", on_delete=models.CASCADE, null=True, blank=True, related_name="routes")
    types = models.JSONField(
        default=list, blank=True, help_text="Signal types; empty: all. A trailing * matches any ending."
    )
    condition = models.JSONField(
        default=dict, blank=True, help_text="agents.rules.conditions says the shape; empty: none."
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
