"""A second person for boundaries that widen, proposals and drafts of them; what the database itself refuses there."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


# A version stays as it is, but for the one confirmation it may still lack.
CONFIRM_ONLY = """
DROP TRIGGER agents_policy_immutable ON agents_policy;
CREATE TRIGGER agents_policy_immutable BEFORE UPDATE ON agents_policy FOR EACH ROW
    WHEN (OLD.confirmed_by_id IS NOT NULL OR NEW.confirmed_by_id IS NULL
          OR to_jsonb(NEW) - '{confirmed_by_id,confirmed_at}'::text[]
             IS DISTINCT FROM to_jsonb(OLD) - '{confirmed_by_id,confirmed_at}'::text[])
    EXECUTE FUNCTION agents_refuse_change();
CREATE TRIGGER agents_policy_stays BEFORE DELETE ON agents_policy
    FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();
"""
CONFIRM_ONLY_BACK = """
DROP TRIGGER agents_policy_stays ON agents_policy;
DROP TRIGGER agents_policy_immutable ON agents_policy;
CREATE TRIGGER agents_policy_immutable BEFORE UPDATE OR DELETE ON agents_policy
    FOR EACH ROW EXECUTE FUNCTION agents_refuse_change();
"""

# An autonomous agent obeys only what two people stand behind, at every commit.
VOUCHED = """
CREATE FUNCTION agents_check_vouched() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE lone text;
BEGIN
    SELECT a.slug INTO lone FROM agents_agent a JOIN agents_policy p ON p.id = a.policy_id
    WHERE a.id = NEW.id AND a.stage = 'autonomous' AND p.widens AND p.confirmed_by_id IS NULL;
    IF lone IS NOT NULL THEN
        RAISE EXCEPTION 'agent "%" would be autonomous under boundaries that no second person confirmed', lone
            USING ERRCODE = 'check_violation', CONSTRAINT = 'autonomous_by_two';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER autonomous_by_two AFTER INSERT OR UPDATE OF stage, policy_id ON agents_agent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agents_check_vouched();
"""
VOUCHED_BACK = "DROP TRIGGER autonomous_by_two ON agents_agent; DROP FUNCTION agents_check_vouched();"


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0011_pauses_in_full'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PolicyDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('base', models.PositiveIntegerField(help_text='The version in force when it was begun; 0: none.')),
                ('form', models.JSONField()),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='PolicyProposal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('base', models.PositiveIntegerField()),
                ('spec', models.JSONField()),
                ('reason', models.TextField()),
                ('widens', models.BooleanField()),
                ('proposed_at', models.DateTimeField(auto_now_add=True)),
                ('go_live_at', models.DateTimeField(help_text='None: at once.', null=True)),
                ('state', models.CharField(choices=[('proposed', 'Waits for a second person'), ('scheduled', 'Goes live at its time'), ('live', 'Went live'), ('declined', 'Declined'), ('cancelled', 'Taken back'), ('stale', 'Overtaken')], default='proposed', max_length=10)),
                ('decided_at', models.DateTimeField(null=True)),
                ('said', models.TextField(blank=True, help_text='Why it was declined, taken back, or did not go live.')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='policy',
            name='confirmed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='policy',
            name='confirmed_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='policy',
            name='stage',
            field=models.CharField(default='', help_text="The agent's, when it was published.", max_length=12),
        ),
        migrations.AddField(
            model_name='policy',
            name='widens',
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name='policy',
            constraint=models.CheckConstraint(condition=models.Q(('confirmed_by', None), ('published_by', None), models.Q(('confirmed_by', models.F('published_by')), _negated=True), _connector='OR'), name='policy_confirmed_by_another'),
        ),
        migrations.AddConstraint(
            model_name='policy',
            constraint=models.CheckConstraint(condition=models.Q(('widens', False), ('confirmed_by__isnull', False), models.Q(('stage__in', ('supervised', 'autonomous')), _negated=True), _connector='OR'), name='policy_widening_is_confirmed'),
        ),
        migrations.AddField(
            model_name='policydraft',
            name='agent',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='drafts', to='agents.agent'),
        ),
        migrations.AddField(
            model_name='policydraft',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='policyproposal',
            name='agent',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='proposals', to='agents.agent'),
        ),
        migrations.AddField(
            model_name='policyproposal',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='policyproposal',
            name='policy',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.policy'),
        ),
        migrations.AddField(
            model_name='policyproposal',
            name='proposed_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='policydraft',
            constraint=models.UniqueConstraint(fields=('agent', 'person'), name='policy_draft_one'),
        ),
        migrations.AddIndex(
            model_name='policyproposal',
            index=models.Index(fields=['state', 'go_live_at'], name='proposal_due'),
        ),
        migrations.AddConstraint(
            model_name='policyproposal',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['proposed', 'scheduled'])), fields=('agent',), name='proposal_one_open'),
        ),
        migrations.AddConstraint(
            model_name='policyproposal',
            constraint=models.CheckConstraint(condition=models.Q(('widens', False), models.Q(('state__in', ['scheduled', 'live']), _negated=True), models.Q(('decided_by__isnull', False), models.Q(('decided_by', models.F('proposed_by')), _negated=True)), _connector='OR'), name='proposal_confirmed_by_another'),
        ),
        migrations.RunSQL(CONFIRM_ONLY, CONFIRM_ONLY_BACK),
        migrations.RunSQL(VOUCHED, VOUCHED_BACK),
    ]
