"""Withdrawals with their rows; what was rebuilt and retrained after them; an audit that only grows.

An audit event is evidence of who took what out, so the database itself refuses to change or delete one. The two ways
past the trigger are in docs/settings.md: a session setting that only the owner of the table may use, which mends or
erases by hand, and the same with "truncate", which empties test databases.
"""
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


# The setting counts for the table's owner and for superusers only: where the platform's role is neither, it can do
# nothing but add. Rows for UPDATE and DELETE, since a statement that matches none does no harm.
ONLY_GROWS = """
CREATE FUNCTION labeling_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed text := coalesce(current_setting('parley.audit_maintenance', true), '');
    owner oid := (SELECT relowner FROM pg_class WHERE oid = TG_RELID);
BEGIN
    IF pg_has_role(current_user, owner, 'USAGE')
       AND (allowed = 'on' OR (allowed = 'truncate' AND TG_OP = 'TRUNCATE')) THEN
        RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW ELSE OLD END;
    END IF;
    RAISE EXCEPTION 'The audit only grows: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'docs/settings.md, "The audit", says how its owner mends it.';
END $$;
CREATE TRIGGER audit_rows_stay BEFORE UPDATE OR DELETE ON labeling_auditevent
    FOR EACH ROW EXECUTE FUNCTION labeling_audit_only_grows();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON labeling_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION labeling_audit_only_grows();
"""
MAY_CHANGE = """
DROP TRIGGER audit_is_not_emptied ON labeling_auditevent;
DROP TRIGGER audit_rows_stay ON labeling_auditevent;
DROP FUNCTION labeling_audit_only_grows();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', "0028_adjudications"),
    ]

    operations = [
        migrations.CreateModel(
            name='Withdrawal',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('outside_person', models.CharField(blank=True, max_length=80)),
                ('kinds', models.JSONField()),
                ('since', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(choices=[('fraud', 'Fraud'), ('consent', 'Consent withdrawn'), ('error', 'Error'), ('other', 'Other')], max_length=16)),
                ('text', models.TextField(blank=True)),
                ('state', models.CharField(choices=[('running', 'Under way'), ('done', 'Done'), ('undoing', 'Being undone'), ('undone', 'Undone')], default='running', max_length=16)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('undone_at', models.DateTimeField(blank=True, null=True)),
                ('undone_reason', models.TextField(blank=True)),
            ],
            options={
                'ordering': ('-at',),
            },
        ),
        migrations.CreateModel(
            name='WithdrawnRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('rankings', 'Rankings'), ('dialogues', 'Dialogues'), ('better', 'Better answers'), ('thumbs', 'Thumbs')], max_length=16)),
                ('row_id', models.UUIDField()),
                ('before', models.JSONField(blank=True, default=dict)),
                ('put_back_at', models.DateTimeField(blank=True, null=True)),
                ('stays_out', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.AddField(
            model_name='export',
            name='rebuilt_from',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rebuilds', to='labeling.export'),
        ),
        migrations.AddField(
            model_name='trainingjob',
            name='retrained_from',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='retrainings', to='labeling.trainingjob'),
        ),
        migrations.AddIndex(
            model_name='export',
            index=models.Index(condition=models.Q(('rebuilt_from', None), _negated=True), fields=['rebuilt_from'], name='export_rebuilds'),
        ),
        migrations.AddIndex(
            model_name='trainingjob',
            index=models.Index(condition=models.Q(('retrained_from', None), _negated=True), fields=['retrained_from'], name='training_job_retrainings'),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='person',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='withdrawals', to='labeling.project'),
        ),
        migrations.AddField(
            model_name='withdrawal',
            name='undone_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='withdrawnrow',
            name='withdrawal',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='labeling.withdrawal'),
        ),
        migrations.AddIndex(
            model_name='withdrawal',
            index=models.Index(fields=['project', '-at', '-id'], name='withdrawal_newest'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(('person', None), ('outside_person', ''), _connector='XOR'), name='withdrawal_of_an_account_or_an_outside_name'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reason', 'other'), _negated=True), models.Q(('text', ''), _negated=True), _connector='OR'), name='withdrawal_other_has_text'),
        ),
        migrations.AddIndex(
            model_name='withdrawnrow',
            index=models.Index(condition=models.Q(('put_back_at', None)), fields=['row_id'], name='withdrawn_row_in_force'),
        ),
        migrations.AddConstraint(
            model_name='withdrawnrow',
            constraint=models.UniqueConstraint(fields=('withdrawal', 'kind', 'row_id'), name='withdrawn_row_once_per_withdrawal'),
        ),
        migrations.RunSQL(ONLY_GROWS, MAY_CHANGE),
    ]
