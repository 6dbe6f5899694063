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
    dependencies = [("approvals", "0007_planting")]

    operations = [
        migrations.RunSQL(clamp("approvals_apitoken", "expires_at"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(condition=sane("expires_at"), name="token_expiry_sane"),
        ),
        migrations.RunSQL(clamp("approvals_person", "away_from", "away_until"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="person",
            constraint=models.CheckConstraint(condition=sane("away_from", "away_until"), name="person_away_sane"),
        ),
        migrations.RunSQL(clamp("approvals_snooze", "until"), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="snooze",
            constraint=models.CheckConstraint(condition=sane("until"), name="snooze_until_sane"),
        ),
    ]
