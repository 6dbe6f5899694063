"""An account is found by the beginning of its key in any case: this index stands in for the one by exact case."""

from django.db import migrations

UPPER = """
CREATE INDEX agents_account_key_upper ON agents_account (upper(key) text_pattern_ops);
DROP INDEX IF EXISTS agents_account_key_11d4a3a0_like;
"""
BACK = """
CREATE INDEX agents_account_key_11d4a3a0_like ON agents_account (key text_pattern_ops);
DROP INDEX agents_account_key_upper;
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0008_edited_by")]
    operations = [migrations.RunSQL(UPPER, BACK)]
