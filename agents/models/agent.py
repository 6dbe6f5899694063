"""An agent: one job, one named owner, a deputy, one metric, boundaries (its policy), a stage."""

from django.core.exceptions import ValidationError
from django.db import models

from agents.models.grant import permissions
from approvals.models import Person


class Stage(models.TextChoices):
    DRAFT = "draft", "Draft"
    SHADOW = "shadow", "Shadow"
    SUPERVISED = "supervised", "Supervised"
    AUTONOMOUS = "autonomous", "Autonomous"
    RETIRED = "retired", "Retired"


class Agent(models.Model):
    """Past draft it must have an active owner; the database refuses otherwise (migration `guards`)."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    job = models.TextField(help_text="The one job, in a sentence a stranger understands.")
    owner = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="owned_agents")
    deputy = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="deputised_agents")
    built_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, blank=True, related_name="built_agents")
    edited_by = models.ForeignKey(
        Person,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who last changed its scorecard or choice of plays.",
    )
    stage = models.CharField(max_length=12, choices=Stage, default=Stage.DRAFT)
    scorecard = models.JSONField(default=dict, help_text="Weighted criteria; agents.rules.scoring says the shape.")
    choices = models.JSONField(default=list, help_text="Which play, when; agents.rules.plays says the shape.")
    policy = models.ForeignKey("Policy", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    live_since = models.DateTimeField(null=True, blank=True, help_text="When it first acted on real customers.")
    is_demo = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        permissions = permissions("agent")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.stage not in (Stage.DRAFT, Stage.RETIRED) and (self.owner is None or not self.owner.is_active):
            raise ValidationError({"owner": "Past draft an agent needs an owner who is active: name a person."})
        if self.deputy is not None and self.deputy == self.owner:
            raise ValidationError({"deputy": "The deputy takes over from the owner, so it must be someone else."})
