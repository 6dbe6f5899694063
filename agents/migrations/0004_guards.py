"""What the database itself refuses, and the revision that tells every process that the registry changed."""

from django.db import migrations

# Immutable history: a policy or a play's version, once written, stays.
IMMUTABLE = """
CREATE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable: make a new version instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER agents_policy_immutable BEFORE UPDATE OR DELETE ON agents_policy
    FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();
CREATE TRIGGER agents_playversion_immutable BEFORE UPDATE OR DELETE ON agents_playversion
    FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();
"""
IMMUTABLE_BACK = """
DROP TRIGGER agents_policy_immutable ON agents_policy;
DROP TRIGGER agents_playversion_immutable ON agents_playversion;
DROP FUNCTION agents_refuse_change();
"""

# An agent past draft has an active owner, at every commit: seen from the agent and from the person.
OWNED = """
CREATE FUNCTION agents_check_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE orphan text;
BEGIN
    SELECT a.slug INTO orphan FROM agents_agent a LEFT JOIN approvals_person p ON p.id = a.owner_id
    WHERE a.stage NOT IN ('draft', 'retired') AND (p.id IS NULL OR NOT p.is_active)
      AND CASE WHEN TG_TABLE_NAME = 'agents_agent' THEN a.id = NEW.id ELSE p.id = NEW.id END
    LIMIT 1;
    IF orphan IS NOT NULL THEN
        RAISE EXCEPTION 'agent "%" is past draft and would have no active owner', orphan
            USING ERRCODE = 'check_violation', CONSTRAINT = 'agent_has_an_active_owner',
                  HINT = 'Hand the agent to an active person first, or retire it.';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER agent_has_an_active_owner AFTER INSERT OR UPDATE ON agents_agent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agents_check_owner();
CREATE CONSTRAINT TRIGGER owner_stays_active AFTER UPDATE OF is_active ON approvals_person
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agents_check_owner();
"""
OWNED_BACK = """
DROP TRIGGER agent_has_an_active_owner ON agents_agent;
DROP TRIGGER owner_stays_active ON approvals_person;
DROP FUNCTION agents_check_owner();
"""

# Whatever decides an agent's behaviour bumps one number, in the same transaction; processes cache by it.
WATCHED = {
    "agents_agent": "",
    "agents_policy": "",
    "agents_play": "",
    "agents_connection": " OF slug, name, kind, config, secrets_sealed, allowed_hosts, is_active",
    "agents_source": "",
    "agents_route": "",
    "agents_region": "",
    "agents_segment": "",
    "approvals_person": " OF email, name, is_active",
}
REVISION = """
CREATE TABLE agents_revision (one boolean PRIMARY KEY DEFAULT true CHECK (one), n bigint NOT NULL);
INSERT INTO agents_revision (n) VALUES (1);
CREATE FUNCTION agents_bump_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE agents_revision SET n = n + 1;
    RETURN NULL;
END $$;
""" + "".join(
    f"CREATE TRIGGER {table}_revision AFTER INSERT OR UPDATE{columns} OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION agents_bump_revision();\n"
    for table, columns in WATCHED.items()
)
REVISION_BACK = (
    "".join(f"DROP TRIGGER {table}_revision ON {table};\n" for table in WATCHED)
    + "DROP FUNCTION agents_bump_revision(); DROP TABLE agents_revision;"
)

# Limits: how much of an hour's or a day's permission is used. Taken in key order at the gate.
COUNTERS = """
CREATE TABLE agents_counter (key text PRIMARY KEY, used bigint NOT NULL, expires_at timestamptz NOT NULL)
    WITH (fillfactor = 50);
"""


def unassigned(apps, schema_editor):
    """Both trees start with their "Unassigned" member."""
    for tree in ("Region", "Segment"):
        apps.get_model("agents", tree).objects.get_or_create(code="unassigned", defaults={"name": "Unassigned"})


class Migration(migrations.Migration):
    dependencies = [("agents", "0003_outcome"), ("approvals", "0001_initial")]
    operations = [
        migrations.RunSQL(IMMUTABLE, IMMUTABLE_BACK),
        migrations.RunSQL(OWNED, OWNED_BACK),
        migrations.RunSQL(REVISION, REVISION_BACK),
        migrations.RunSQL(COUNTERS, "DROP TABLE agents_counter"),
        migrations.RunPython(unassigned, migrations.RunPython.noop),
    ]
