"""Whoever a pause concerns is told of it once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0013_grants")]

    operations = [
        migrations.AddField(
            model_name="pause",
            name="told_at",
            field=models.DateTimeField(help_text="When those concerned were mailed.", null=True),
        ),
    ]
