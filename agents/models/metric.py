"""A metric: what counts as success for one agent."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class Direction(models.TextChoices):
    UP = "up", "Higher is better"
    DOWN = "down", "Lower is better"


class Metric(models.Model):
    """How often, or how much of, `outcome` came of the signals the agent acted on, over the window."""

    class Measure(models.TextChoices):
        RATE = "rate", "Per cent of the runs it acted on"
        COUNT = "count", "Number of outcomes"
        VALUE = "value", "Sum of the outcomes' values"

    agent = models.OneToOneField("Agent", on_delete=models.CASCADE, related_name="metric")
    name = models.CharField(max_length=120)
    outcome = models.SlugField(max_length=60, help_text="The kind of outcome that counts, e.g. meeting or revenue.")
    measure = models.CharField(max_length=8, choices=Measure, default=Measure.RATE)
    unit = models.CharField(max_length=20, default="%")
    direction = models.CharField(max_length=4, choices=Direction, default=Direction.UP)
    target = models.DecimalField(max_digits=14, decimal_places=2)
    window_days = models.PositiveSmallIntegerField(default=30, validators=[MinValueValidator(1)])
    acceptable_failure_rate = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(5),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Per cent of its actions that may fail before its owner is paged.",
    )

    def __str__(self) -> str:
        return f"{self.name}: {self.target} {self.unit} in {self.window_days} days"
