"""A source: where signals come from, with a key, secrets for signatures and a mapping."""

from typing import Any

from django.db import models

from agents import sealed


class Source(models.Model):
    """`key` is the public write key clients send; `secrets["signing"]` lists the Standard Webhooks secrets in force."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    key = models.CharField(max_length=64, unique=True)
    secrets_sealed = models.TextField(blank=True)
    signed_only = models.BooleanField(default=False, help_text="Refuse what is not signed by Standard Webhooks.")
    mapping = models.JSONField(
        default=dict, blank=True, help_text="agents.rules.mapping says the shape; empty: the default."
    )
    rate_limit = models.PositiveIntegerField(default=0, help_text="Signals a second and web process; 0: no limit.")
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

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
