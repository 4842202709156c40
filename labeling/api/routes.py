"""The URL patterns of the API, each authenticated, and the OpenAPI document."""

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.operation import Operation, PathView
from ninja.parser import Parser

from labeling.api import (
    challenges,
    dialogues,
    evaluations,
    exports,
    feedback,
    imports,
    mending,
    people,
    projects,
    rankings,
    schemas,
    training,
    webhooks,
    withdrawals,
)
from labeling.api.authentication import Bearer, authenticated
from labeling.api.errors import explain_errors, not_found, response_of
from labeling.api.idempotency import HEADER, LONGEST_KEY
from labeling.api.safety import appeals, reports, screenings
from labeling.web import access
from labeling.web.storable import read_json

PREFIX = "api/v1/"
VERSION = "1.0.0"

_KEY = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "The same request under the same key is done once, and answered alike for 24 hours",
    "schema": {"type": "string", "maxLength": LONGEST_KEY},
}


class JsonBodies(Parser):
    """Bodies as pages read theirs: finite numbers, storable texts, few levels."""

    def parse_body(self, request: HttpRequest) -> Any:
        return read_json(request.body)


class Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__


api = Api(
    title="Parley",
    version=VERSION,
    description="Human preference data: prompts, dialogues, comparisons, rankings, thumbs, exports, policies, rounds.",
    openapi_url=None,
    docs_url=None,
    auth=Bearer(),
    parser=JsonBodies(),
)
explain_errors(api)
for _room in (
    projects,
    dialogues,
    rankings,
    mending,
    feedback,
    exports,
    imports,
    training,
    evaluations,
    people,
    webhooks,
    withdrawals,
    screenings,
    challenges,
    reports,
    appeals,
):
    api.add_router("", _room.router)


@access.public
def document(request: HttpRequest) -> HttpResponse:
    """The OpenAPI 3.1 document. It contains no data of the platform, so it needs no token."""
    return JsonResponse(_document())


@csrf_exempt
@access.public
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """An unknown address under /api/ answers JSON, since programs read it."""
    return response_of(not_found(request))


@cache
def _document() -> dict[str, Any]:
    """Ninja's document with what `authenticated` adds to every operation: errors and the idempotency key."""
    found = json.loads(json.dumps(api.get_openapi_schema(path_prefix=f"/{PREFIX}")))
    found["components"]["schemas"]["Error"] = schemas.Error.model_json_schema()
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for methods in found["paths"].values():
        for method, operation in methods.items():
            operation["responses"]["default"] = {"description": "Where, what, and what to do", "content": content}
            if method != "get":
                operation.setdefault("parameters", []).append(_KEY)
    return dict(found)


def _addresses() -> list[URLPattern]:
    return [
        path(f"{PREFIX}{route}", authenticated(one.get_view(), rule=_rule(one)), name=f"api_{_name(one)}")
        for bound in api._get_bound_routers()
        for route, one in zip(_routes(bound), bound.path_operations.values(), strict=True)
    ]


def _routes(bound: Any) -> list[str]:
    """The distinct routes of a router: Ninja lists an address once for each of its methods."""
    return list(dict.fromkeys(str(pattern.pattern) for pattern in bound.urls_paths("")))


def _rule(address: PathView) -> dict[str, Any]:
    return {method: one.view_func.access for one in address.operations for method in one.methods}  # type: ignore[attr-defined]


def _name(address: PathView) -> str:
    return address.operations[0].view_func.__name__


urlpatterns = [
    path(f"{PREFIX}openapi.json", document, name="api_document"),
    *_addresses(),
    path("api/<path:rest>", unknown, name="api_unknown"),
]
