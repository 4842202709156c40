"""Known orders become rows of their own, practice rankings too, and projects may mix gold items in."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def move_practice(apps, schema_editor):
    Comparison = apps.get_model('labeling', 'Comparison')
    Reference = apps.get_model('labeling', 'Reference')
    for comparison in Comparison.objects.filter(is_practice=True, gold_tiers__isnull=False):
        explained = comparison.explanation
        Reference.objects.create(
            comparison=comparison,
            tiers=comparison.gold_tiers,
            unacceptable_from=explained.get('unacceptable_from'),
            lesson=explained.get('lesson', ''),
            explanation=explained.get('explanation', ''),
            remarks=explained.get('completions', {}),
        )
    Comparison.objects.filter(is_practice=True).update(use='practice')


def move_back(apps, schema_editor):
    """Gold items become practice: what came before knows no other use, and they must not be taken for work."""
    Comparison = apps.get_model('labeling', 'Comparison')
    Comparison.objects.exclude(use='work').update(is_practice=True)
    for reference in apps.get_model('labeling', 'Reference').objects.all():
        Comparison.objects.filter(pk=reference.comparison_id).update(
            gold_tiers=reference.tiers,
            explanation={
                'lesson': reference.lesson,
                'explanation': reference.explanation,
                'completions': reference.remarks,
                'unacceptable_from': reference.unacceptable_from,
            },
        )
    # PostgreSQL changes no table that has rows of the same transaction still to be checked.
    schema_editor.execute('SET CONSTRAINTS ALL IMMEDIATE')


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0003_answers_sampled_anew'),
    ]

    operations = [
        migrations.CreateModel(
            name='PracticeRanking',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('submission_key', models.UUIDField(unique=True)),
                ('tiers', models.JSONField()),
                ('unacceptable_from', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('shown_order', models.JSONField()),
                ('seconds', models.FloatField(default=0.0)),
                ('ranked_at', models.DateTimeField(auto_now_add=True)),
                ('comparison', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='practice_rankings', to='labeling.comparison')),
                ('trainer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='practice_rankings', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['trainer', 'comparison', '-ranked_at'], name='practice_by_trainer')],
            },
        ),
        migrations.CreateModel(
            name='Reference',
            fields=[
                ('comparison', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='reference', serialize=False, to='labeling.comparison')),
                ('tiers', models.JSONField()),
                ('unacceptable_from', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('lesson', models.CharField(blank=True, max_length=120)),
                ('explanation', models.TextField(blank=True)),
                ('remarks', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddField(
            model_name='comparison',
            name='use',
            field=models.CharField(choices=[('work', 'Work'), ('practice', 'Practice'), ('gold', 'Gold')], default='work', max_length=16),
        ),
        migrations.AddField(
            model_name='membership',
            name='num_claims',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='project',
            name='gold_every',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='project',
            name='practice_required',
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(move_practice, move_back),
    ]
