"""Adjudications, rankings returned to their trainers, who has seen others' orders, and how far rankings differ."""

import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


# As labeling.models.distances measures them, for the rankings that are there already.
MEASURE = """
    WITH places AS (
        SELECT ranking.comparison_id, ranking.id AS ranking, completion.id AS completion, tier.place
        FROM labeling_ranking ranking
        JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
        CROSS JOIN LATERAL jsonb_array_elements(ranking.tiers) WITH ORDINALITY tier (ids, place)
        CROSS JOIN LATERAL jsonb_array_elements_text(tier.ids) completion (id)
        WHERE comparison.use = 'work' AND comparison.num_rankings >= 2
          AND ranking.retracted_at IS NULL AND ranking.abstained IS NULL AND NOT ranking.is_choice
    ), counted AS (
        SELECT one.comparison_id,
               count(*) FILTER (WHERE one.place < other.place) AS b,
               count(*) FILTER (WHERE one.place > other.place) AS w,
               count(*) FILTER (WHERE one.place = other.place) AS t
        FROM places one JOIN places other ON other.ranking = one.ranking AND other.completion > one.completion
        GROUP BY one.comparison_id, one.completion, other.completion
    ), measured AS (
        SELECT comparison_id,
               sum(b * w + t * (b + w) / 2.0) / nullif(sum((b + w + t) * (b + w + t - 1) / 2.0), 0) AS distance
        FROM counted GROUP BY comparison_id
    )
    UPDATE labeling_comparison comparison SET distance = measured.distance
    FROM measured WHERE measured.comparison_id = comparison.id AND measured.distance IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', "0027_a_days_work"),
    ]

    operations = [
        migrations.CreateModel(
            name='Adjudication',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('ordered', 'Ordered'), ('done', 'Done'), ('withdrawn', 'Withdrawn')], default='waiting', max_length=16)),
                ('below', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('sent_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('passed', models.JSONField(blank=True, default=list)),
                ('shown_order', models.JSONField(default=list)),
                ('draft', models.JSONField(blank=True, default=dict)),
                ('draft_version', models.PositiveIntegerField(default=0)),
                ('submission_key', models.UUIDField(blank=True, null=True, unique=True)),
                ('tiers', models.JSONField(default=list)),
                ('unacceptable_from', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('seconds', models.FloatField(blank=True, null=True)),
                ('layout', models.CharField(blank=True, max_length=16)),
                ('ordered_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, choices=[('mistake', 'a mistake'), ('taste', 'taste'), ('unclear guideline', 'unclear guideline'), ('unclear prompt', 'unclear prompt'), ('both fine', 'both fine')], max_length=20)),
                ('words', models.TextField(blank=True)),
                ('wants_revision', models.BooleanField(default=False)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('source', models.CharField(blank=True, max_length=200)),
                ('outside_reviewer', models.CharField(blank=True, max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name='ReturnedRanking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('words', models.TextField(blank=True)),
                ('returned_at', models.DateTimeField(auto_now_add=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='SeenOrders',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seen_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'verbose_name_plural': 'seen orders',
            },
        ),
        migrations.AddField(
            model_name='comparison',
            name='distance',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='project',
            name='adjudicates_below',
            field=models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AddIndex(
            model_name='comparison',
            index=models.Index(condition=models.Q(('distance', None), _negated=True), fields=['project', '-distance', '-id'], name='comparison_most_disputed'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='comparison',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='adjudications', to='labeling.comparison'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='guideline_version',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='labeling.guidelineversion'),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='reviewer',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='adjudications', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='adjudication',
            name='sent_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='returnedranking',
            name='adjudication',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='returned', to='labeling.adjudication'),
        ),
        migrations.AddField(
            model_name='returnedranking',
            name='lease',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='returned', to='labeling.lease'),
        ),
        migrations.AddField(
            model_name='seenorders',
            name='comparison',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='labeling.comparison'),
        ),
        migrations.AddField(
            model_name='seenorders',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='adjudication',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['sent_at', 'id'], name='adjudication_queue'),
        ),
        migrations.AddIndex(
            model_name='adjudication',
            index=models.Index(fields=['reviewer', 'comparison'], name='adjudication_by_reviewer'),
        ),
        migrations.AddConstraint(
            model_name='adjudication',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('waiting', 'ordered', 'done'))), fields=('comparison',), name='adjudication_one_live_per_comparison'),
        ),
        migrations.AddConstraint(
            model_name='adjudication',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'done'), _negated=True), models.Q(models.Q(('reason', ''), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='adjudication_done_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='returnedranking',
            constraint=models.UniqueConstraint(fields=('adjudication', 'lease'), name='returned_once'),
        ),
        migrations.AddConstraint(
            model_name='seenorders',
            constraint=models.UniqueConstraint(fields=('comparison', 'person'), name='seen_orders_once'),
        ),
        migrations.RunSQL(MEASURE, migrations.RunSQL.noop),
    ]
