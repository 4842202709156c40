"""The command `parley`: what admins and engineers do daily, from a terminal or a script.

PARLEY_URL says where the platform is and PARLEY_TOKEN holds the token, which never stands on a command line:
others on the machine could read it there.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import shtab

from parley.client import Client, Row
from parley.connection import ParleyError
from parley.retraining import LEARNS_FROM, Retraining, retrain

HERE = "http://127.0.0.1:8000"
SHELLS = ("bash", "zsh")


class UsageError(Exception):
    """What a person can mend; the text says how."""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        if options.run is completion:
            completion(options)
        else:
            with Client(os.environ.get("PARLEY_URL") or HERE, _token()) as client:
                options.run(client, options)
    except (ParleyError, UsageError, OSError) as error:
        print(f"parley: {error}", file=sys.stderr)
        for other in getattr(error, "others", []):
            print(f"parley: {other['where']}: {other['what']}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    root = argparse.ArgumentParser(
        prog="parley", description="A Parley platform from the terminal.", epilog=_ENVIRONMENT
    )
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    def add(under: Any, name: str, run: Any, text: str, *places: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = under.add_parser(name, help=text, description=text, parents=[shared])
        for place in places:
            command.add_argument(place)
        command.set_defaults(run=run)
        return command

    add(commands, "me", me, "whose token this is, and what it opens")
    add(commands, "projects", projects, "projects that you work in")
    add(commands, "rounds", rounds, "rounds of a project", "project")
    add(commands, "policies", policies, "the registry of policies")
    promoting = add(commands, "promote", promote, "let another policy answer in a project", "project", "policy")
    promoting.add_argument("--yes", action="store_true", help="do not ask")
    promoting.add_argument("--reason", default="", help="why, where people have not called it better")
    retraining = add(
        commands, "retrain", retrain_policy, "exports, a reward model, a policy, and people's verdict", "project"
    )
    retraining.add_argument("--policy", help="start from this policy instead of the project's")
    retraining.add_argument("--filter", action="append", default=[], metavar="NAME=JSON", help="of the exports")
    ways = "ppo unless given; dpo and kto learn from rankings or thumbs themselves, without a reward model"
    retraining.add_argument("--by", choices=tuple(LEARNS_FROM), default="ppo", help=ways)
    for kind, whose in (("reward", "reward model"), ("option", "policy")):
        about = f"of the form of the {whose}'s job, as lr=1e-4"
        retraining.add_argument(f"--{kind}", action="append", default=[], metavar="OPTION=VALUE", help=about)
    retraining.add_argument("--prompts", type=int, default=200, help="held-out prompts that people judge (200)")
    retraining.add_argument("--share", type=float, default=0.5, help="of trainers' places for them (0.5)")
    retraining.add_argument("--without-people", action="store_true", help="end with the policy; nobody judges it")
    retraining.add_argument("--promote-if-better", action="store_true", help="promote what people call better")
    exporting = commands.add_parser("exports", help="build, watch and download exports")
    export_commands = exporting.add_subparsers(required=True, metavar="COMMAND")
    add(export_commands, "list", list_exports, "exports of a project", "project")
    building = add(export_commands, "build", build_export, "build an export", "project")
    building.add_argument("kind", choices=("rankings", "demonstrations", "prompts", "thumbs", "labels"))
    building.add_argument("--format", default="records", help="records unless given; the platform knows the others")
    building.add_argument("--filter", action="append", default=[], metavar="NAME=JSON", help="as rounds=[1,2]")
    out: Any = building.add_argument("--out", type=Path, metavar="DIR", help="wait for it and download it")
    out.complete = shtab.DIRECTORY
    add(export_commands, "watch", watch_export, "wait until an export is done", "project", "export")
    downloading = add(export_commands, "download", download_export, "download an export", "project", "export")
    folder: Any = downloading.add_argument("folder", type=Path)
    folder.complete = shtab.DIRECTORY
    add(export_commands, "cancel", cancel_export, "stop an export that is not done", "project", "export")
    prompting = commands.add_parser("prompts", help="the pool of prompts")
    prompt_commands = prompting.add_subparsers(required=True, metavar="COMMAND")
    add(prompt_commands, "list", list_prompts, "prompts of a project", "project")
    adding = add(prompt_commands, "add", add_prompts, "add prompts from JSON Lines", "project")
    lines = 'lines of {"messages": [{"role": "user", "content": …}]}; - for standard input'
    file: Any = adding.add_argument("file", help=lines)
    file.complete = shtab.FILE
    adding.add_argument("--on-error", choices=("stop", "skip"), default="stop")
    completing = add(commands, "completion", completion, "print the completion of a shell, to be evaluated by it")
    completing.add_argument("shell", choices=SHELLS)
    return root


def me(client: Client, options: argparse.Namespace) -> None:
    _show([client.me()], options, "owner", "role", "scopes", "project", "expires_at")


def projects(client: Client, options: argparse.Namespace) -> None:
    _show(client.projects(), options, "slug", "name", "policy")


def rounds(client: Client, options: argparse.Namespace) -> None:
    _show(client.rounds(options.project), options, "number", "policy", "started_at", "closed_at")


def policies(client: Client, options: argparse.Namespace) -> None:
    _show(client.policies(), options, "name", "state", "parent", "created_at")


def promote(client: Client, options: argparse.Namespace) -> None:
    if not options.yes:
        print(f"{options.policy} will answer in {options.project}, and the open round closes. Type yes: ", end="")
        if sys.stdin.readline().strip() != "yes":
            raise UsageError("nothing was changed")
    _show(
        [client.promote(options.project, options.policy, reason=options.reason)],
        options,
        "number",
        "policy",
        "started_at",
    )


def retrain_policy(client: Client, options: argparse.Namespace) -> None:
    plan = Retraining(
        project=options.project,
        policy=options.policy,
        filters=dict(map(_filter, options.filter)),
        reward_options=dict(map(_filter, options.reward)),
        by=options.by,
        policy_options=dict(map(_filter, options.option)),
        asks_people=not options.without_people,
        num_prompts=options.prompts,
        share=options.share,
        promotes=options.promote_if_better,
    )
    for row in retrain(client, plan, on_progress=_say_progress):
        _show([row], options, "step", "name", "result")


def list_exports(client: Client, options: argparse.Namespace) -> None:
    _show(client.exports(options.project), options, "id", "kind", "format", "state", "num_records", "created_at")


def build_export(client: Client, options: argparse.Namespace) -> None:
    filters = dict(map(_filter, options.filter))
    export = client.build_export(options.project, options.kind, format=options.format, filters=filters)
    if options.out is not None:
        export = client.wait_for_export(options.project, export["id"], on_progress=_say_progress)
        client.download_export(options.project, export["id"], options.out)
    _show([export], options, "id", "kind", "state", "num_records")


def watch_export(client: Client, options: argparse.Namespace) -> None:
    export = client.wait_for_export(options.project, options.export, on_progress=_say_progress)
    _show([export], options, "id", "kind", "state", "num_records")


def download_export(client: Client, options: argparse.Namespace) -> None:
    for path in client.download_export(options.project, options.export, options.folder):
        _show([{"file": str(path), "bytes": path.stat().st_size}], options, "file", "bytes")


def cancel_export(client: Client, options: argparse.Namespace) -> None:
    _show([client.cancel_export(options.project, options.export)], options, "id", "kind", "state")


def list_prompts(client: Client, options: argparse.Namespace) -> None:
    found = ({**prompt, "text": prompt["messages"][-1]["content"]} for prompt in client.prompts(options.project))
    _show(found, options, "id", "topic", "text")


def add_prompts(client: Client, options: argparse.Namespace) -> None:
    counts = client.add_prompts(options.project, _read_lines(options.file), on_error=options.on_error)
    for one in counts["refused"]:
        print(f"parley: left out: {one['where']}: {one['what']}", file=sys.stderr)
    _show([{**counts, "refused": len(counts["refused"])}], options, "imported", "repeated", "refused")


def completion(options: argparse.Namespace) -> None:
    """What `eval "$(parley completion bash)"` evaluates: made from the parser once, it asks nothing while one types."""
    print(shtab.complete(parser(), options.shell))


_ENVIRONMENT = f"PARLEY_URL: where the platform is ({HERE}). PARLEY_TOKEN: a token from its account page."
_LONGEST_CELL = 80


def _token() -> str:
    token = os.environ.get("PARLEY_TOKEN", "").strip()
    if not token:
        raise UsageError("PARLEY_TOKEN is not set; make a token on the platform's account page")
    return token


def _filter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text}: write NAME=VALUE, as rounds=[1,2]")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _read_lines(name: str) -> Iterator[Row]:
    with sys.stdin if name == "-" else open(name, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise UsageError(f"{name}:{number}: is not JSON: {error}") from error


def _say_progress(row: Row) -> None:
    share = f", {row['fraction']:.0%}" if "fraction" in row else ""
    print(f"parley: {row['state']}{share}", file=sys.stderr)


def _show(rows: Iterable[Row], options: argparse.Namespace, *columns: str) -> None:
    """A line for each row as it comes: the rows whole as JSON, or some columns with tabs between."""
    for row in rows:
        if options.json:
            print(json.dumps(row, ensure_ascii=False))
        else:
            print("\t".join(_cell(row[column]) for column in columns))


def _cell(value: Any) -> str:
    """On one line, and with nothing that a terminal would obey: texts come from people."""
    text = ",".join(map(str, value)) if isinstance(value, list) else "-" if value is None else str(value)
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= _LONGEST_CELL else f"{plain[: _LONGEST_CELL - 1]}…"
