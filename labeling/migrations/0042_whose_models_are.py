"""Whose models are: a project beside each, and the decisions by which others have it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0041_erasures_and_secrets'),
    ]

    operations = [
        migrations.AddField(
            model_name='policy',
            name='project',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='policies', to='labeling.project'),
        ),
        migrations.AddField(
            model_name='rewardmodel',
            name='project',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reward_models', to='labeling.project'),
        ),
        migrations.CreateModel(
            name='ModelShare',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('policy', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='shares', to='labeling.policy')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='model_shares', to='labeling.project')),
                ('reward_model', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='shares', to='labeling.rewardmodel')),
            ],
            options={
                'ordering': ('-at',),
                'constraints': [models.CheckConstraint(condition=models.Q(('policy', None), ('reward_model', None), _connector='XOR'), name='model_share_of_one_model'), models.UniqueConstraint(condition=models.Q(('revoked_at', None)), fields=('policy', 'project'), name='model_share_policy_once'), models.UniqueConstraint(condition=models.Q(('revoked_at', None)), fields=('reward_model', 'project'), name='model_share_reward_model_once')],
            },
        ),
    ]
