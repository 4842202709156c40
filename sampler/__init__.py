"""Celery in front of language: the GPU-side app that turns requests into completions.

It sees the broker and the model store, and nothing else: no Django, no database.
"""

import language  # noqa: F401 - before torch: it says how threads wait
