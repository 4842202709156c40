"""manage.py register_server NAME: register a policy that an OpenAI-compatible server samples from."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.models import Policy
from labeling.sampling.policies import PolicyError, register_server


class Command(BaseCommand):
    help = "Register a policy on an OpenAI-compatible server. Its key belongs in the sample workers' environment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what Parley calls the policy")
        parser.add_argument("--kind", choices=Policy.ServerKind.values, required=True, help="what runs there")
        parser.add_argument("--url", required=True, help="where its interface begins, as https://host:8000/v1")
        parser.add_argument("--model", required=True, help="the server's own name for the model")

    def handle(self, **options: Any) -> None:
        try:
            policy = register_server(options["name"], kind=options["kind"], url=options["url"], model=options["model"])
        except PolicyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{policy.name} is registered. List its host in PARLEY_BACKEND_HOSTS of the sample workers.")
