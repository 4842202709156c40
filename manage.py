#!/usr/bin/env python
"""Parley's commands. Starts the embedded servers for those that need them."""

import os
import signal
import sys

NEED_NO_SERVERS = {
    "check",
    "collectstatic",
    "compilemessages",
    "demo",
    "help",
    "makemessages",
    "restore_archive",
    "run",
    "--help",
    "--version",
}


def main() -> None:
    """Run one command; what a person can mend is said in one line, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line

        from labeling import embedded
    except ModuleNotFoundError as error:
        sys.exit(f"parley: {error.name} is not installed here. Run `make setup`, then .venv/bin/python manage.py …")
    try:
        if len(sys.argv) > 1 and not NEED_NO_SERVERS.intersection(sys.argv[1:]):
            embedded.ensure()
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, embedded.EngineError) as error:
        sys.exit(f"parley: {error}")


if __name__ == "__main__":
    main()
