"""Planting: that one in so many questions of an agent is one that must be answered with no."""

from django.db import models

from approvals.models.person import Person


class Planting(models.Model):
    """Switched on by an admin; no row is off. `agent` is its slug."""

    agent = models.CharField(max_length=80, unique=True)
    every = models.PositiveIntegerField(help_text="One planted question after so many real ones.")
    by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="planting_not_too_often", condition=models.Q(every__gte=5))]

    def __str__(self) -> str:
        return f"one in {self.every} of {self.agent}"
