"""No change of a noun without its entry: the database refuses the commit, from here on."""

from django.db import migrations

from agents.nouns import NOUNS
from audit.require import forget_entries, require_entries


def require(apps, schema_editor):
    """What a later migration makes is left to that one."""
    with schema_editor.connection.cursor() as cursor:
        require_entries(cursor, NOUNS)


def forget(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        forget_entries(cursor, NOUNS)


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0017_outlet_incident"),
        ("approvals", "0008_sane_moments"),
        ("audit", "0006_age"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
        ("usersessions", "0001_initial"),
        ("guardian", "0003_remove_groupobjectpermission_guardian_gr_content_ae6aec_idx_and_more"),
    ]

    operations = [migrations.RunPython(require, forget)]
