"""Language-model plumbing: checkpoints, chat template, batching, generation, log-probabilities.

A library over torch and transformers. It knows nothing of Django, Celery or the platform.
"""
