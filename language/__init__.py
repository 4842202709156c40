"""Language-model plumbing: checkpoints, chat template, batching, generation, log-probabilities.

A library over torch and transformers. It knows nothing of Django, Celery or the platform.
"""

import os

# torch's threads must not spin while they wait for one another: on a machine that does other work as well,
# that has cost ten times the time. OpenMP reads this once, when torch is loaded, so it stands before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
