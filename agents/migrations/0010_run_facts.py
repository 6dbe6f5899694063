"""What a run was decided on stands with it, so that other boundaries can be asked about the same facts later."""

from django.db import migrations, models

FACTS = "ALTER TABLE agents_run ADD COLUMN facts jsonb NOT NULL DEFAULT '{}'"
BACK = "ALTER TABLE agents_run DROP COLUMN facts"
FIELD = models.JSONField(default=dict, help_text="What was decided on; agents.rules.facts reads it.")


class Migration(migrations.Migration):
    dependencies = [("agents", "0009_account_key")]
    operations = [
        migrations.RunSQL(FACTS, BACK, state_operations=[migrations.AddField("run", "facts", FIELD)]),
    ]
