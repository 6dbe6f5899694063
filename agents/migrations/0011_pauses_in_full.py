"""Pauses are staged, drilled and timed; what each kept back is a row of its own, which the gate writes."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from audit.partitions import make_partitions

# A growing table (docs/decisions/growing-tables.md). What is held now by pauses set before this gets its row here.
HOLDS = """
CREATE TABLE agents_hold (
    id uuid PRIMARY KEY,
    pause_id bigint NOT NULL,
    action_id uuid NOT NULL,
    turn smallint NOT NULL,
    at timestamptz NOT NULL,
    let_go_at timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX agents_hold_pause ON agents_hold (pause_id, id DESC);
CREATE INDEX agents_hold_kept ON agents_hold (pause_id, turn) WHERE let_go_at IS NULL;
CREATE INDEX agents_hold_action ON agents_hold (action_id);
"""
HELD_NOW = """
INSERT INTO agents_hold (id, pause_id, action_id, turn, at)
SELECT id, substr(why, 7)::bigint, id, ('x' || right(replace(run_id::text, '-', ''), 12))::bit(48)::bigint % 100,
    clock_timestamp()
FROM agents_action WHERE state = 'held' AND why ~ '^pause:[0-9]+$'
"""


def partition(apps, schema_editor):
    """A partition for the months around now, and a default one that catches the rest."""
    with schema_editor.connection.cursor() as cursor:
        make_partitions(cursor, "agents_hold")


class Migration(migrations.Migration):
    dependencies = [("agents", "0010_run_facts")]

    operations = [
        migrations.AddField(
            model_name="pause",
            name="closed_at",
            field=models.DateTimeField(blank=True, help_text="When it last let fewer through than before.", null=True),
        ),
        migrations.AddField(
            model_name="pause",
            name="found",
            field=models.JSONField(
                default=dict, help_text="A drill: whom it concerns, who would be told, what was open."
            ),
        ),
        migrations.AddField(
            model_name="pause",
            name="in_flight",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                default=list,
                help_text="Attempts under way when it was last closed.",
                size=None,
            ),
        ),
        migrations.AddField(model_name="pause", name="is_drill", field=models.BooleanField(default=False)),
        migrations.AddField(
            model_name="pause",
            name="lock_ms",
            field=models.FloatField(help_text="How long the lock was waited for.", null=True),
        ),
        migrations.AddField(
            model_name="pause",
            name="quiet_at",
            field=models.DateTimeField(blank=True, help_text="When the last of those was settled.", null=True),
        ),
        migrations.AddField(
            model_name="pause",
            name="share",
            field=models.SmallIntegerField(default=0, help_text="Per cent of runs that it lets through already."),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=models.Q(("share__gte", 0), ("share__lt", 100)), name="pause_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_drill", False), ("lifted_at__isnull", False), _connector="OR"),
                name="pause_drill_never_stands",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(HOLDS, "DROP TABLE agents_hold"),
                migrations.RunPython(partition, migrations.RunPython.noop),
                migrations.RunSQL(HELD_NOW, migrations.RunSQL.noop),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Hold",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("turn", models.SmallIntegerField(help_text="When its turn comes in a staged resume, 0 to 99.")),
                        ("at", models.DateTimeField()),
                        ("let_go_at", models.DateTimeField(null=True)),
                        (
                            "action",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="holds",
                                to="agents.action",
                            ),
                        ),
                        (
                            "pause",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="holds",
                                to="agents.pause",
                            ),
                        ),
                    ],
                    options={"ordering": ["-id"]},
                )
            ],
        ),
    ]
