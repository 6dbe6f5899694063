"""A policy: the immutable, numbered set of an agent's boundaries. Every decision names the version that governed it."""

from django.db import models

from approvals.models import Person


class Policy(models.Model):
    """Published once, never edited: the database refuses UPDATE and DELETE. A rollback is a new version."""

    agent = models.ForeignKey("Agent", on_delete=models.PROTECT, related_name="policies")
    version = models.PositiveIntegerField()
    spec = models.JSONField(help_text="Clauses and limits; agents.rules.boundaries says the shape.")
    reason = models.TextField()
    published_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "policies"
        constraints = [models.UniqueConstraint(fields=["agent", "version"], name="policy_version_once")]

    def __str__(self) -> str:
        return f"version {self.version}"
