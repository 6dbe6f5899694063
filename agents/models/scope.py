"""The two scope trees, regions and segments. "Unassigned" is in both: it can be paused and never acts alone."""

import zoneinfo

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from agents.models.grant import permissions

UNASSIGNED = "unassigned"
CODE = RegexValidator(
    r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$",
    "Write lower-case letters, digits, - and _, with / between levels, such as emea/de.",
)


def check_time_zone(name: str) -> None:
    """Refuse a time zone that the IANA database does not name."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"“{name}” is not a time zone; write one such as Europe/Berlin.")


def working_hours() -> dict[str, list[str]]:
    """Monday to Friday, nine to six."""
    return {day: ["09:00", "18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


class Scope(models.Model):
    """One member of a tree. `code` is its whole path, so that "emea" covers "emea/de"; only a move changes it."""

    code = models.CharField(max_length=80, unique=True, validators=[CODE])
    name = models.CharField(max_length=80)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    is_demo = models.BooleanField(default=False)

    class Meta:
        abstract = True
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        above = self.code.rpartition("/")[0]
        if above != (self.parent.code if self.parent else ""):
            raise ValidationError({"code": f"“{self.code}” must be its parent's code, a slash and a name of its own."})

    @property
    def is_unassigned(self) -> bool:
        return self.code == UNASSIGNED


class Region(Scope):
    """Where the recipient is: decides the clock, the working hours and the currency."""

    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    working_hours = models.JSONField(default=working_hours, blank=True, help_text="Day → [from, to], local time.")
    currency = models.CharField(max_length=3, default="EUR")

    class Meta(Scope.Meta):
        permissions = permissions("region")


class Segment(Scope):
    """Which kind of customer: enterprise, mid-market, …"""

    class Meta(Scope.Meta):
        permissions = permissions("segment")
