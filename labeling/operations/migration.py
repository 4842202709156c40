"""Migrating while the platform serves: waiting for a lock so shortly that nobody behind it gives up."""

import time
from collections.abc import Callable

from django.core.management import call_command
from django.db import connection
from django.db.utils import OperationalError

# Whoever comes to a table while a migration waits for it waits too, and a migration that has one table and waits for
# the next makes people wait for both. Pages give up after PARLEY_LOCK_TIMEOUT_SECONDS (5): four such waits are less.
SECONDS_FOR_A_LOCK = 1
ATTEMPTS = 60
PAUSE = 1.0  # seconds in which those who waited get on


def migrate_while_serving(tell: Callable[[str], object] = lambda _said: None) -> int:
    """Run every migration that is missing; returns in how many attempts.

    One that does not get a lock in time changes nothing, each being one transaction, and is tried again. Raises
    django.db.utils.OperationalError where the last attempt got none either.
    """
    for attempt in range(1, ATTEMPTS + 1):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{SECONDS_FOR_A_LOCK}s"])
        try:
            call_command("migrate", interactive=False, verbosity=0)
            return attempt
        except OperationalError as error:
            if "lock timeout" not in str(error) or attempt == ATTEMPTS:
                raise
            tell(f"A table is in use; the migration is tried again ({attempt} of {ATTEMPTS}).")
            time.sleep(PAUSE)
        finally:
            connection.close()  # the next connection has the time-outs of the settings again
    raise AssertionError("unreachable")
