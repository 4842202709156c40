"""Sealed probes, policies' answers to them, and what people say of each answer."""


import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0044_judging_figures'),
    ]

    operations = [
        # A further choice: nothing of it is in the database.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='samplingrun',
                    name='purpose',
                    field=models.CharField(choices=[('suggestion', 'Suggestion'), ('chat', 'Chat'), ('comparison', 'Comparison'), ('evaluation', 'Evaluation'), ('probe', 'Probe')], max_length=16),
                ),
            ]
        ),
        migrations.CreateModel(
            name='ProbeSetVersion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=32)),
                ('version', models.PositiveIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('sealed_at', models.DateTimeField(auto_now_add=True)),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='probe_sets', to='labeling.project')),
            ],
        ),
        migrations.CreateModel(
            name='ProbeRun',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('sampling', models.JSONField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='probe_runs', to='labeling.policy')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='probe_runs', to='labeling.project')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('set_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='labeling.probesetversion')),
            ],
        ),
        migrations.CreateModel(
            name='ProbeText',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=80)),
                ('group', models.CharField(max_length=64)),
                ('variant', models.CharField(max_length=64)),
                ('kind', models.TextField()),
                ('text', models.TextField()),
                ('num_seeds', models.PositiveSmallIntegerField(default=1)),
                ('expected', models.TextField(blank=True)),
                ('severity', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('fewest_words', models.PositiveIntegerField(blank=True, null=True)),
                ('most_words', models.PositiveIntegerField(blank=True, null=True)),
                ('set_version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='texts', to='labeling.probesetversion')),
            ],
        ),
        migrations.CreateModel(
            name='ProbeAnswer',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('ready', 'Ready'), ('same', 'Same'), ('filtered', 'Filtered'), ('failed', 'Failed')], default='waiting', max_length=16)),
                ('content_sha256', models.CharField(blank=True, max_length=64)),
                ('labels_wanted', models.PositiveSmallIntegerField(default=2)),
                ('verdict', models.CharField(blank=True, max_length=16)),
                ('same_as', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='copies', to='labeling.probeanswer')),
                ('sampling_run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='probe_answer', to='labeling.samplingrun')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='labeling.proberun')),
                ('text', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='answers', to='labeling.probetext')),
            ],
        ),
        migrations.CreateModel(
            name='ProbeLabel',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('value', models.CharField(blank=True, max_length=16)),
                ('expires_at', models.DateTimeField()),
                ('claimed_at', models.DateTimeField(auto_now_add=True)),
                ('labelled_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('answer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='labels', to='labeling.probeanswer')),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='probe_labels', to=settings.AUTH_USER_MODEL)),
                ('guideline_version', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='labeling.guidelineversion')),
            ],
            options={
                'indexes': [models.Index(fields=['by', '-labelled_at'], name='probe_label_newest')],
                'constraints': [models.UniqueConstraint(fields=('answer', 'by'), name='probe_label_once_a_person')],
            },
        ),
        migrations.AddConstraint(
            model_name='probesetversion',
            constraint=models.UniqueConstraint(fields=('project', 'name', 'version'), name='probe_set_version_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='proberun',
            constraint=models.UniqueConstraint(fields=('project', 'policy', 'set_version'), name='probe_run_once'),
        ),
        migrations.AddConstraint(
            model_name='probetext',
            constraint=models.UniqueConstraint(fields=('set_version', 'key'), name='probe_text_once'),
        ),
        migrations.AddIndex(
            model_name='probeanswer',
            index=models.Index(condition=models.Q(('state', 'ready')), fields=['text', 'content_sha256'], name='probe_answer_alike'),
        ),
        migrations.AddIndex(
            model_name='probeanswer',
            index=models.Index(fields=['run', 'state'], name='probe_answer_states'),
        ),
        migrations.AddConstraint(
            model_name='probeanswer',
            constraint=models.UniqueConstraint(fields=('run', 'text', 'number'), name='probe_answer_once'),
        ),
    ]
