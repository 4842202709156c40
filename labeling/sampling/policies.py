"""Registers policies: a directory of the model store with a manifest, or a model on an OpenAI-compatible server."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from labeling.models import AuditEvent, Policy, Project, User
from records import verify_directory
from records.manifest import MANIFEST, sha256_of

BUNDLED = "smollm2-135m-instruct"
_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,99}$")


class PolicyError(ValueError):
    """The policy cannot be registered; the text says which one, why, and what to do."""


def register_policy(store_path: str, *, name: str | None = None, by: User | None = None, note: str = "") -> Policy:
    """Register the directory `store_path`, relative to the store; every file is checked against its hash.

    Registering the same directory again returns the same policy. Raises PolicyError if another policy has the
    name, and records.ManifestError if the files differ from the manifest.
    """
    directory = _inside_store(store_path)
    name = name or directory.name.lower()
    _require_name(name)
    verify_directory(directory)
    sha256 = sha256_of(directory / MANIFEST)
    with transaction.atomic():
        policy, created = Policy.objects.get_or_create(
            name=name,
            defaults={
                "store_path": store_path,
                "manifest_sha256": sha256,
                "state": Policy.State.CANDIDATE,
                "note": note,
            },
        )
        if created:
            AuditEvent.note("register policy", policy, by=by, store_path=store_path, manifest_sha256=sha256)
    if policy.manifest_sha256 != sha256:
        raise PolicyError(f"Another policy is called {name}: its files have other hashes. Choose another name.")
    return policy


def register_server(
    name: str,
    *,
    kind: str,
    url: str,
    model: str,
    project: Project | None = None,
    by: User | None = None,
    note: str = "",
) -> Policy:
    """Register a model on an OpenAI-compatible server; registering the same again returns the same policy.

    Without a project it is the platform's, which every project may use. Nothing is sent to the server. Which servers a
    worker may call, and with which key, is set in the worker's environment. Raises PolicyError.
    """
    _require_name(name)
    if kind not in Policy.ServerKind.values:
        raise PolicyError(f"There is no kind of server {kind!r}: it is one of {', '.join(Policy.ServerKind.values)}.")
    _require_address(url)
    if not model:
        raise PolicyError("Name the model as its server does.")
    served = {"backend": Policy.Backend.OPENAI, "server_kind": kind, "server_url": url, "server_model": model}
    with transaction.atomic():
        policy, created = Policy.objects.get_or_create(
            name=name, defaults={**served, "state": Policy.State.CANDIDATE, "note": note, "project": project}
        )
        if created:
            AuditEvent.note("register policy", policy, by=by, kind=kind, url=url, model=model)
    if any(getattr(policy, field) != value for field, value in served.items()):
        raise PolicyError(f"Another policy is called {name}: it is not this model on this server. Choose another name.")
    return policy


def register_bundled_policy() -> Policy | None:
    """Register the bundled model; None if its directory is not in the store."""
    store_path = f"policies/{BUNDLED}"
    if not (settings.PARLEY_STORE / store_path / MANIFEST).is_file():
        return None
    return register_policy(store_path, note="SmolLM2-135M-Instruct (Apache-2.0), bundled with Parley.")


def _require_name(name: str) -> None:
    if not _NAME.match(name):
        raise PolicyError(f"{name!r} is no name for a policy: use small letters, digits, - and _.")


def _require_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise PolicyError(f"{url!r} is no address of a server: give it as https://host:8000/v1.")
    if parts.username is not None or parts.password is not None:
        raise PolicyError("An address with a password in it would be seen by many: keys belong to the sample workers.")


def _inside_store(store_path: str) -> Path:
    relative = PurePosixPath(store_path)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise PolicyError(f"{store_path!r} does not lie in the model store: give a path relative to it.")
    return Path(settings.PARLEY_STORE) / relative
