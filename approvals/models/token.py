"""An API token: lets a program act in a person's name, within what it is given, until it expires."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from approvals.moments import sane


class ApiToken(models.Model):
    """
    Only a keyed hash of the secret is kept; its prefix tells people which token it is.

    It never allows more than its person may do at that moment: `verbs` and the scopes only narrow it.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.BinaryField(max_length=32)
    verbs = models.JSONField(default=list, help_text="What it may do, in the words of access, such as see or pause.")
    agents = models.JSONField(default=list, blank=True, help_text="Slugs; empty: any.")
    regions = models.JSONField(default=list, blank=True, help_text="Codes, with all beneath them; empty: any.")
    segments = models.JSONField(default=list, blank=True, help_text="Codes, with all beneath them; empty: any.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [sane("token_expiry_sane", "expires_at")]

    def __str__(self) -> str:
        return self.name

    def state(self, now: datetime | None = None) -> str:
        """In a word: works, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "works" if self.expires_at > (now or timezone.now()) else "expired"
