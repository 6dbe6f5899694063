"""What the intake needs: which signal an id became, the id of a dead letter, and a source's last signals by index."""

import uuid

from django.db import migrations, models

SIGNAL = """
ALTER TABLE agents_signal ADD COLUMN format text NOT NULL DEFAULT 'json';
CREATE INDEX agents_signal_source ON agents_signal (source_id, id DESC);
"""
SIGNAL_BACK = """
DROP INDEX agents_signal_source;
ALTER TABLE agents_signal DROP COLUMN format;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_guards")]
    operations = [
        migrations.AddField(
            model_name="seen",
            name="signal_id",
            field=models.UUIDField(default=uuid.UUID(int=0)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="deadletter",
            name="external_id",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SIGNAL, SIGNAL_BACK)],
            state_operations=[
                migrations.AddField(
                    model_name="signal",
                    name="format",
                    field=models.TextField(help_text="A key of agents.rules.mapping_defaults.DEFAULTS."),
                    preserve_default=False,
                )
            ],
        ),
    ]
