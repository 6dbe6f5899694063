"""A policy: the immutable, numbered set of an agent's boundaries. Every decision names the version that governed it."""

from django.db import models
from django.db.models import F, Q

from approvals.models import Person

SENDING = ("supervised", "autonomous")
"""The stages in which something goes out."""


class Policy(models.Model):
    """
    Published once, never edited: the database refuses UPDATE and DELETE. A rollback is a new version.

    `widens`: something would go alone under it that did not before. Then the database wants `confirmed_by`, someone
    else than `published_by`, unless the agent sent nothing when it was published; such a version may be confirmed
    once, later, and until then no autonomous agent may have it.
    """

    agent = models.ForeignKey("Agent", on_delete=models.PROTECT, related_name="policies")
    version = models.PositiveIntegerField()
    spec = models.JSONField(help_text="Clauses and limits; agents.rules.boundaries says the shape.")
    reason = models.TextField()
    published_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(auto_now_add=True)
    widens = models.BooleanField(default=False)
    stage = models.CharField(max_length=12, default="", help_text="The agent's, when it was published.")
    confirmed_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["agent", "version"], name="policy_version_once"),
            models.CheckConstraint(
                condition=Q(confirmed_by=None) | Q(published_by=None) | ~Q(confirmed_by=F("published_by")),
                name="policy_confirmed_by_another",
            ),
            models.CheckConstraint(
                condition=Q(widens=False) | Q(confirmed_by__isnull=False) | ~Q(stage__in=SENDING),
                name="policy_widening_is_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"

    @property
    def vouched(self) -> bool:
        """Whether two people stand behind whatever it does alone."""
        return not self.widens or self.confirmed_by_id is not None
