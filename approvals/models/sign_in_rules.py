"""What an admin asks of signing in. One row; without it nothing is asked."""

from django.db import models


class SignInRules(models.Model):
    second_step_roles = models.JSONField(
        default=list, blank=True, help_text="Roles that have to set up a second step before they may do anything else."
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="sign_in_rules_once")]

    def __str__(self) -> str:
        return "Sign-in rules"
