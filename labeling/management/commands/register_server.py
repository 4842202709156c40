"""manage.py register_server NAME: register a policy that an OpenAI-compatible server samples from."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Policy, Project
from labeling.sampling.policies import PolicyError, register_server


class Command(BaseCommand):
    help = "Register a policy on an OpenAI-compatible server. Its key belongs in the sample workers' environment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what Parley calls the policy")
        parser.add_argument("--kind", choices=Policy.ServerKind.values, required=True, help="what runs there")
        parser.add_argument("--url", required=True, help="where its interface begins, as https://host:8000/v1")
        parser.add_argument("--model", required=True, help="the server's own name for the model")

        parser.add_argument("--project", metavar="SLUG", help="whose it is; without, the platform's: all may use it")

    def handle(self, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first() if options["project"] else None
        if options["project"] and project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        values = {name: options[name] for name in ("kind", "url", "model")}
        try:
            policy = register_server(options["name"], **values, project=project)
        except PolicyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{policy.name} is registered. List its host in PARLEY_BACKEND_HOSTS of the sample workers.")
