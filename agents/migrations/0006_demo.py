"""Demo rows may be removed whole, history included; nothing real can ever be made to look like one."""

from django.db import migrations

# A policy or a play's version stays once written, unless its agent or play is a demo: then it may be deleted with it.
LET_GO = """
CREATE OR REPLACE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE demo boolean := false;
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'agents_policy' THEN
        demo := (SELECT is_demo FROM agents_agent WHERE id = OLD.agent_id);
    ELSIF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'agents_playversion' THEN
        demo := (SELECT is_demo FROM agents_play WHERE id = OLD.play_id);
    END IF;
    IF demo THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is immutable: make a new version instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""
LET_GO_BACK = """
CREATE OR REPLACE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable: make a new version instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""

# An agent or play is a demo from its first row on, or never.
FROM_BIRTH = """
CREATE FUNCTION agents_refuse_demo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is a demo from its birth or never', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER agents_agent_demo BEFORE UPDATE OF is_demo ON agents_agent
    FOR EACH ROW WHEN (NEW.is_demo AND NOT OLD.is_demo) EXECUTE FUNCTION agents_refuse_demo();
CREATE TRIGGER agents_play_demo BEFORE UPDATE OF is_demo ON agents_play
    FOR EACH ROW WHEN (NEW.is_demo AND NOT OLD.is_demo) EXECUTE FUNCTION agents_refuse_demo();
"""
FROM_BIRTH_BACK = """
DROP TRIGGER agents_agent_demo ON agents_agent;
DROP TRIGGER agents_play_demo ON agents_play;
DROP FUNCTION agents_refuse_demo();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_intake")]
    operations = [migrations.RunSQL(LET_GO, LET_GO_BACK), migrations.RunSQL(FROM_BIRTH, FROM_BIRTH_BACK)]
