"""What went wrong is found by one index, newest first, however much went right."""

from django.db import migrations

ONE = """
CREATE INDEX agents_action_stuck ON agents_action (id DESC) WHERE state IN ('failed', 'unknown', 'refused');
DROP INDEX agents_action_failed;
"""
BACK = """
CREATE INDEX agents_action_failed ON agents_action (id DESC) WHERE state = 'failed';
DROP INDEX agents_action_stuck;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0006_demo")]
    operations = [migrations.RunSQL(ONE, BACK)]
