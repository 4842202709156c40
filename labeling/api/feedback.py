"""Operations on feedback: the thumbs that a program outside collects, one a request, and the list of them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import Page, Place, page_of
from labeling.imports.messages import FormatError, require_alternating, text_of
from labeling.imports.thumbs import ThumbConflict, receive_thumb
from labeling.models import ApiToken
from labeling.web import access
from labeling.web.access import ENGINEERS
from records import Completion, Message, Thumb

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
SOURCE = "api"
router = Router()


@router.get("/projects/{slug}/feedback", response=Page[schemas.Thumb])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_feedback(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """The project's thumbs, retracted ones too."""
    thumbs = models.Thumb.objects.filter(project=access.project_for(request, slug))
    return page_of(thumbs.select_related("policy"), place)


@router.post("/projects/{slug}/feedback", response={200: schemas.Thumb, 201: schemas.Thumb})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def send_feedback(request: HttpRequest, slug: str, given: schemas.NewThumb) -> Any:
    """Keep a thumb. The same one again under its id returns the stored one; another under this id is refused."""
    project = access.project_for(request, slug)
    try:
        thumb, is_new = receive_thumb(project, _record(given), source=SOURCE, by=access.person(request))
    except ThumbConflict as error:
        raise ApiError(
            409, where="body.id", what=str(error), what_to_do="Send each thumb under an id of its own."
        ) from error
    return Status(201 if is_new else 200, thumb)


def _record(given: schemas.NewThumb) -> Thumb:
    """The thumb as a record. Raises ApiError where its texts could not be learnt from."""
    messages = tuple(Message(role=one.role, content=one.content) for one in given.messages)
    if messages[-1].role != "user":
        raise _invalid("messages", "Here it must end with the message of a user, which “answer” answers.")
    try:
        require_alternating(messages)
    except FormatError as error:
        raise _invalid("messages", f"This is no dialogue: {error}.") from error
    try:
        text_of(given.answer, "answer")
    except FormatError as error:
        raise _invalid("answer", f"{error}.") from error
    return Thumb(
        id=given.id,
        messages=messages,
        completion=Completion(id=given.id, content=given.answer, policy=given.policy),
        up=given.thumb == "up",
        reason=given.reason or None,
        trainer=given.trainer,
        trainer_kind="imported",
        topic=given.topic or None,
    )


def _invalid(field: str, what: str) -> ApiError:
    return ApiError(
        422, where=f"body.{field}", what=what, what_to_do="Send what /api/v1/openapi.json says for this address."
    )
