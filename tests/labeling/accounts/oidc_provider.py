"""A company's OpenID provider (Canaille) in a process of its own: with people, groups and one client, given as JSON.

It has a virtual environment of its own as well, made once for all runs in the folder of temporary files: Canaille puts
a package `tests` beside itself, which would hide ours. Run as a program it prints its port and serves until it is
ended. It knows nothing of Parley.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

PASSWORD = "the password at the company"
_REQUIREMENTS = Path(__file__).with_suffix(".txt")


def interpreter() -> Path | None:
    """The Python that has Canaille; made first if it is missing, which takes a minute. None if it cannot be made."""
    version = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"parley-oidc-provider-{os.getuid()}-{version}"
    python, is_whole = folder / "bin" / "python", folder / "whole"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of processes that test beside each other, one makes it
        if not is_whole.exists():
            commands = ([sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "-r", _REQUIREMENTS])
            for command in commands:
                if subprocess.run(command, capture_output=True, check=False).returncode:
                    return None
            is_whole.touch()
    return python


@contextmanager
def providing(python: Path, *, people: dict[str, str], groups: dict[str, list[str]], **client: Any) -> Iterator[str]:
    """The issuer of a provider with these people (name and address), groups and client."""
    given = json.dumps({"people": people, "groups": groups, "client": client})
    program = subprocess.Popen(
        [python, "-W", "ignore", str(Path(__file__)), given],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert program.stdout is not None
    try:
        port = program.stdout.readline().strip()
        assert port, "the provider did not start"
        yield f"http://localhost:{port}"
    finally:
        program.terminate()
        program.wait(timeout=20)


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP on this machine
    from canaille import create_app
    from canaille.app import models
    from canaille.backends import Backend
    from joserfc.jwk import RSAKey

    given = json.loads(sys.argv[1])
    server = make_server("localhost", 0, None, handler_class=Silent)  # type: ignore[arg-type]
    app = create_app(
        config={
            "TESTING": True,
            "ENV_FILE": None,
            "SECRET_KEY": str(uuid.uuid4()),
            "WTF_CSRF_ENABLED": False,
            "PREFERRED_URL_SCHEME": "http",
            "SERVER_NAME": f"localhost:{server.server_port}",
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}}},
            "CANAILLE_OIDC": {
                "TRUSTED_DOMAINS": ["testserver"],  # whose client asks nobody for consent
                "ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)],
                "USERINFO_MAPPING": {
                    "SUB": "{{ user.user_name }}",
                    "PREFERRED_USERNAME": "{{ user.user_name }}",
                    "NAME": "{{ user.formatted_name }}",
                    "EMAIL": "{{ user.emails[0] }}",
                },
            },
        }
    )
    server.set_app(app)
    with app.app_context():
        for name, email in given["people"].items():
            shown = name.title()
            Backend.instance.save(
                models.User(user_name=name, formatted_name=shown, family_name=shown, emails=[email], password=PASSWORD)
            )
        for name, members in given["groups"].items():
            people = [Backend.instance.get(models.User, user_name=member) for member in members]
            Backend.instance.save(models.Group(display_name=name, members=people))
        client = models.Client(
            client_name="Parley",
            client_uri="http://testserver/",
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "email", "groups"],
            token_endpoint_auth_method="client_secret_post",
            **given["client"],
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
