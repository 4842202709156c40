"""A comparison is for work, for practice or gold: one column says which, and the queue's index goes by it.

A migration of its own: PostgreSQL changes no table that has rows of the same transaction still to be checked.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0004_references_and_gold'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='comparison',
            name='comparison_queue',
        ),
        migrations.RemoveField(
            model_name='comparison',
            name='explanation',
        ),
        migrations.RemoveField(
            model_name='comparison',
            name='gold_tiers',
        ),
        migrations.RemoveField(
            model_name='comparison',
            name='is_practice',
        ),
        migrations.AddIndex(
            model_name='comparison',
            index=models.Index(condition=models.Q(('open_slots__gt', 0), ('state', 'open'), ('use', 'work')), fields=['project', 'queue_key', 'id'], name='comparison_queue'),
        ),
        migrations.AddIndex(
            model_name='comparison',
            index=models.Index(condition=models.Q(('use', 'work'), _negated=True), fields=['project', 'use'], name='comparison_references'),
        ),
    ]
