"""By which Celery app a process sends.

What it sends: sampling/test_runs.py, prompts/test_near_duplicates.py, rounds/test_training_jobs.py.
"""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
SAY = """
from threading import Thread
from celery import current_app
def say():
    print(current_app.main, current_app.conf.task_routes["sampler.sample"]["queue"])
say()
thread = Thread(target=say)
thread.start()
thread.join()
"""
EARLY = "from celery import current_app; current_app.main\n"  # somebody asked before there was an app


@pytest.mark.parametrize(
    "arguments",
    [("manage.py", "shell", "-v", "0", "-c", SAY), ("-c", f"{EARLY}import labeling.asgi{SAY}")],
    ids=["a command", "the web server"],
)
def test_every_thread_of_it_sends_by_the_platforms_app(engines: object, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == ["labeling sample"] * 2
