"""A signal whose person was erased keeps its place, without a word of what it said."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0015_sane_moments")]

    operations = [
        migrations.AlterField(
            model_name="signal",
            name="state",
            field=models.TextField(
                choices=[
                    ("new", "New"),
                    ("done", "Heard"),
                    ("unheard", "Nobody listens"),
                    ("faulty", "Could not be decided"),
                    ("erased", "Erased"),
                ]
            ),
        ),
    ]
