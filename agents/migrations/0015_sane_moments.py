"""Moments that people type lie between 2000 and 2200: nearer the ends of time a row can't be read back."""

from datetime import UTC, datetime

from django.db import migrations, models

from approvals.moments import clamp

BOUNDS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def sane(*columns: str) -> models.Q:
    held = models.Q()
    for column in columns:
        held &= models.Q((f"{column}__isnull", True), (f"{column}__range", BOUNDS), _connector="OR")
    return held


class Migration(migrations.Migration):
    dependencies = [("agents", "0014_pause_told")]

    operations = [
        migrations.RunSQL(clamp("agents_grant", "expires_at"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(condition=sane("expires_at"), name="grant_expiry_sane"),
        ),
        migrations.RunSQL(clamp("agents_pause", "until"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(condition=sane("until"), name="pause_until_sane"),
        ),
        migrations.RunSQL(clamp("agents_policyproposal", "go_live_at"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="policyproposal",
            constraint=models.CheckConstraint(condition=sane("go_live_at"), name="proposal_moment_sane"),
        ),
    ]
