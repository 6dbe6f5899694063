"""A grant: one person may do one verb on one agent, region or segment, with all beneath it, perhaps until a day."""

from typing import Any

from django.conf import settings
from django.db import models
from guardian.models.models import UserObjectPermissionAbstract

from approvals.moments import sane

VERBS = {
    "agent": ("see", "pause", "approve", "build", "publish", "resend", "take"),
    "region": ("see", "pause", "approve", "resend"),
    "segment": ("see", "pause", "approve", "resend"),
}
"""What may be granted on each noun: what is done to an agent itself is not granted by region or segment."""
SAYS = {
    "see": "May see it",
    "pause": "May pause and resume it",
    "approve": "May answer its questions",
    "build": "May change it while it is a draft",
    "publish": "May publish its boundaries, move its stage and change it at work",
    "resend": "May send its actions again, undo and settle them",
    "take": "May take its incidents",
}


def permissions(noun: str) -> list[tuple[str, Any]]:
    """For a noun's Meta: the verbs that may be granted on it."""
    return [(verb, SAYS[verb]) for verb in VERBS[noun]]


class Grant(UserObjectPermissionAbstract):
    """
    django-guardian's row of (user, permission, object), with who gave it, why and until when.

    Read by `agents.access`, which holds `expires_at` against the clock; written by `agents.changes.grant`, but for
    `told_at`, which is `agents.grant_mail`'s.
    """

    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    given_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    why = models.CharField(max_length=300)
    told_at = models.DateTimeField(null=True, help_text="When the person was mailed that it ends soon.")

    class Meta(UserObjectPermissionAbstract.Meta):
        abstract = False
        unique_together = [("user", "permission", "object_pk")]
        indexes = [models.Index(fields=["content_type", "object_pk"], name="grant_on")]
        constraints = [sane("grant_expiry_sane", "expires_at")]
