"""Whoever loses a grant soon is told of it once."""

from django.db import migrations, models

from agents.nouns import NOUNS
from audit.require import require_entries


def require(apps, schema_editor):
    """That a grant was told of is no change of it."""
    with schema_editor.connection.cursor() as cursor:
        require_entries(cursor, [noun for noun in NOUNS if noun.table == "agents_grant"])


class Migration(migrations.Migration):
    dependencies = [("agents", "0018_entries_required")]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="told_at",
            field=models.DateTimeField(help_text="When the person was mailed that it ends soon.", null=True),
        ),
        migrations.RunPython(require, migrations.RunPython.noop),
    ]
