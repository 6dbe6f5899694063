"""A connection: a configured way out, with its secrets encrypted and its health."""

from typing import Any

from django.db import models

from agents import sealed


class Connection(models.Model):
    """`config` is what its connector asks for, without the secrets; those are encrypted at rest in `secrets_sealed`."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, help_text="Which connector: http, email, sandbox, …")
    config = models.JSONField(default=dict, blank=True)
    secrets_sealed = models.TextField(blank=True)
    allowed_hosts = models.JSONField(
        default=list, blank=True, help_text="Private hosts or CIDRs an admin let it reach."
    )
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_failed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> dict[str, Any]:
        return sealed.open_sealed(self.secrets_sealed)

    @secrets.setter
    def secrets(self, value: dict[str, Any]) -> None:
        self.secrets_sealed = sealed.seal(value)
