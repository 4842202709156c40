"""Evaluations of policies by people, and promotions with what was known when they were made."""

import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0022_notes_on_rankings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Promotion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('is_return', models.BooleanField(default=False)),
                ('verdict', models.CharField(blank=True, choices=[('open', 'Not decided'), ('better', 'Better'), ('worse', 'Worse'), ('too close', 'Too close to tell')], max_length=16)),
                ('win_rate', models.JSONField(blank=True, null=True)),
                ('reason', models.TextField(blank=True)),
                ('at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('-at',),
            },
        ),
        migrations.AlterField(
            model_name='comparison',
            name='use',
            field=models.CharField(choices=[('work', 'Work'), ('practice', 'Practice'), ('gold', 'Gold'), ('evaluation', 'Evaluation')], default='work', max_length=16),
        ),
        migrations.CreateModel(
            name='Evaluation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('open', 'Open'), ('decided', 'Decided'), ('stopped', 'Stopped')], default='open', max_length=16)),
                ('share', models.FloatField(default=0.5, validators=[django.core.validators.MinValueValidator(0.01), django.core.validators.MaxValueValidator(1.0)])),
                ('seed', models.PositiveBigIntegerField()),
                ('num_prompts', models.PositiveIntegerField()),
                ('verdicts_per_pair', models.PositiveSmallIntegerField(default=1)),
                ('error', models.FloatField()),
                ('first_look', models.PositiveIntegerField()),
                ('look_every', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('baseline', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='labeling.policy')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evaluations', to='labeling.project')),
            ],
            options={
                'ordering': ('-created_at',),
            },
        ),
        migrations.CreateModel(
            name='Candidate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verdict', models.CharField(choices=[('open', 'Not decided'), ('better', 'Better'), ('worse', 'Worse'), ('too close', 'Too close to tell')], default='open', max_length=16)),
                ('looks', models.JSONField(default=list)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='candidacies', to='labeling.policy')),
                ('evaluation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='candidates', to='labeling.evaluation')),
            ],
            options={
                'ordering': ('evaluation', 'id'),
            },
        ),
        migrations.AddField(
            model_name='comparison',
            name='evaluation',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='comparisons', to='labeling.evaluation'),
        ),
        migrations.AddIndex(
            model_name='comparison',
            index=models.Index(condition=models.Q(('evaluation', None), _negated=True), fields=['evaluation', 'queue_key', 'id'], name='comparison_of_evaluation'),
        ),
        migrations.AddField(
            model_name='promotion',
            name='before',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='labeling.policy'),
        ),
        migrations.AddField(
            model_name='promotion',
            name='by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='promotion',
            name='evaluation',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='promotions', to='labeling.evaluation'),
        ),
        migrations.AddField(
            model_name='promotion',
            name='opened',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='promotion', to='labeling.round'),
        ),
        migrations.AddField(
            model_name='promotion',
            name='policy',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='labeling.policy'),
        ),
        migrations.AddField(
            model_name='promotion',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='promotions', to='labeling.project'),
        ),
        migrations.AddConstraint(
            model_name='evaluation',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('project',), name='evaluation_one_open_per_project'),
        ),
        migrations.AddConstraint(
            model_name='candidate',
            constraint=models.UniqueConstraint(fields=('evaluation', 'policy'), name='candidate_once_per_evaluation'),
        ),
        migrations.AddConstraint(
            model_name='promotion',
            constraint=models.CheckConstraint(condition=models.Q(('verdict', 'better'), models.Q(('reason', ''), _negated=True), ('before', None), _connector='OR'), name='promotion_without_peoples_word_has_reason'),
        ),
    ]
