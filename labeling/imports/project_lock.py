"""The lock that lets one import at a time write to a project."""

from django.db import connection

from labeling.models import Project


def lock_project(project: Project) -> None:
    """Wait for other imports into the project; the lock lasts until the caller's transaction ends.

    Without it, two imports would both look up a dialogue, find it new and store it twice. An advisory lock, because
    a lock on the project's row would also block everybody who works in the project.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: import into {project.id}"])
