"""The database is killed and its folder deleted while rankings come in; the archive brings them back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.embedded import processes
from labeling.embedded.paths import Places
from tests.labeling.embedded.servers import end_servers

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
MOST_SECONDS_LOST = 1.0

# A platform with comparisons and trainers, who rank as fast as they can; each ranking is written down once its
# transaction is committed, with the time.
RANKING = """
import json, sys, time, uuid
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from labeling.models import Lease
from labeling.rankings import assignment
from tests.labeling.factories import make_comparison, make_project, make_user
from tests.labeling.rankings.at_work import claim, in_shown_order
project = make_project(slug="drill")
trainers = [make_user(username=f"trainer-{number}", projects=[project]) for number in range(20)]
for _ in range(60):
    make_comparison(project=project, open_slots=20, rankings_wanted=20)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(60):
    for trainer in trainers:
        lease = claim(project, trainer)
        made = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=trainer).ranking
        print(json.dumps({"id": str(made.id), "at": time.time()}), flush=True)
"""
COUNTING = """
import json, sys
import django
django.setup()
from labeling.models import Ranking
print(json.dumps([str(one) for one in Ranking.objects.values_list("id", flat=True)]))
"""


class Platform:
    """A platform with embedded servers of its own, and programs that use them."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.environment = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")
        } | {"PARLEY_VAR": str(self.var), "DJANGO_SETTINGS_MODULE": "labeling.settings", "PYTHONPATH": str(CHECKOUT)}

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)], cwd=CHECKOUT, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str | Path) -> str:
        process = self.start(*arguments)
        out, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        return out


@pytest.fixture
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="parley-lost-"))
    folder.chmod(0o711)
    yield Platform(folder)
    end_servers(Places(folder / "var"))
    shutil.rmtree(folder)


def test_a_deleted_database_comes_back_but_for_a_moment(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "archive"
    start = "from labeling import embedded; embedded.ensure()"
    ranking = platform.start("-c", f"{start}\n{RANKING}")
    archiving = None
    try:
        assert ranking.stdout
        assert ranking.stdin
        assert ranking.stdout.readline() == "ready\n"
        archiving = platform.start("manage.py", "archive", archive)
        assert archiving.stdout
        assert "base backup" in archiving.stdout.readline()
        ranking.stdin.write("\n")
        ranking.stdin.flush()
        acknowledged = [json.loads(ranking.stdout.readline()) for _ in range(200)]

        lost_at = time.time()
        cluster = Path(os.path.realpath(Places(platform.var).database))
        for server in processes.find_all(program="postgres", folder=cluster):
            server.kill()
        shutil.rmtree(cluster)
        rest, _ = ranking.communicate(timeout=PATIENCE)  # it ends, since its database is gone
        acknowledged += [json.loads(line) for line in rest.splitlines()]
        assert ranking.returncode != 0
    finally:
        for process in (ranking, archiving):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=PATIENCE)
    print(platform.run("manage.py", "restore_archive", archive))
    kept = set(json.loads(platform.run("-c", f"{start}\n{COUNTING}").splitlines()[-1]))
    lost = [one["at"] for one in acknowledged if one["id"] not in kept]
    seconds = lost_at - min(lost, default=lost_at)
    with capsys.disabled():
        print(f"\n{len(acknowledged)} acknowledged, {len(lost)} lost, of the last {seconds:.3f} s")
    assert len(kept) >= 200
    assert seconds <= MOST_SECONDS_LOST


def test_an_archive_is_not_restored_over_a_database(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "base-20260101T000000Z").mkdir()
    (tmp_path / "wal").mkdir()
    place = Places(platform.var).database
    place.mkdir(parents=True)
    (place / "PG_VERSION").write_text("18")
    process = platform.start("manage.py", "restore_archive", tmp_path)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "holds a database; move it away first" in said
    assert (place / "PG_VERSION").exists()
