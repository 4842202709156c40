"""Middleware that renders each page in the signed-in person's time zone and language. Stored times are UTC."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.decorators import sync_and_async_middleware

from labeling.models import User

Answer = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def personal_localisation(get_response: Answer) -> Answer:
    """Activate the person's time zone and language. Visitors get UTC and the language that LocaleMiddleware chose."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            with _preferences(request, await request.auser()):
                response = await get_response(request)
                assert isinstance(response, HttpResponseBase)
                return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _preferences(request, request.user):
            response = get_response(request)
            assert isinstance(response, HttpResponseBase)
            return response

    return answer


@contextmanager
def _preferences(request: HttpRequest, user: object) -> Iterator[None]:
    if not isinstance(user, User):
        yield
        return
    language = user.language if user.language in dict(settings.LANGUAGES) else translation.get_language()
    request.LANGUAGE_CODE = language
    with timezone.override(_zone(user.time_zone)), translation.override(language):
        yield


def _zone(name: str) -> ZoneInfo:
    """The zone of this name; UTC if this machine does not know it, since a page is better than an error."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
