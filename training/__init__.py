"""Celery in front of rewardmodel and policy: runs one training job in a subprocess and reports on it."""
