"""The public page, signing up and in by a link, the link's own page, and leaving."""

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Preview
from labeling.preview import door, limits, lookup, samples
from labeling.preview.door import DoorError, TooMany
from labeling.preview.forms import AgreementForm, DoorForm, SignUpForm, opened_now
from labeling.preview.views.public import public_page
from labeling.web import access

DIRECTORY = "labeling/preview"


@access.public
@require_GET
def preview_page(request: HttpRequest, slug: str) -> HttpResponse:
    """What this is, its limits in plain words, and samples."""
    preview = lookup.preview_at(slug)
    context = {
        "samples": samples.frozen(preview),
        "is_full": limits.tokens_today(preview) >= preview.tokens_per_day,
    }
    return public_page(request, preview, f"{DIRECTORY}/preview.html", context)


@access.public
@require_GET
def preview_terms(request: HttpRequest, slug: str) -> HttpResponse:
    preview = lookup.preview_at(slug)
    return public_page(request, preview, f"{DIRECTORY}/terms.html", {"terms": preview.terms})


@access.public
@never_cache
@require_http_methods(["GET", "POST"])
def preview_sign_up(request: HttpRequest, slug: str) -> HttpResponse:
    preview = lookup.preview_at(slug)
    return _door(request, preview, SignUpForm(request.POST or None), f"{DIRECTORY}/sign_up.html")


@access.public
@never_cache
@require_http_methods(["GET", "POST"])
def preview_sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    preview = lookup.preview_at(slug)
    return _door(request, preview, DoorForm(request.POST or None), f"{DIRECTORY}/sign_in.html")


@access.public
@require_GET
def preview_sent(request: HttpRequest, slug: str) -> HttpResponse:
    """What is said after either form, whether the address is known or not."""
    return public_page(request, lookup.preview_at(slug), f"{DIRECTORY}/sent.html", {})


@access.public
@never_cache
@require_http_methods(["GET", "POST"])
def preview_open(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """The page that the link opens. Only its button uses the link: programs that read mail open links as well."""
    preview = lookup.preview_at(slug)
    try:
        link = door.find_link(preview, token)
    except DoorError as error:
        return public_page(request, preview, f"{DIRECTORY}/link_over.html", {"problem": error}, status=410)
    form = AgreementForm(request.POST if request.method == "POST" else None) if door.needs_consent(link) else None
    if request.method == "GET" or (form is not None and not form.is_valid()):
        context = {"form": form, "terms": preview.terms, "link": link}
        return public_page(
            request, preview, f"{DIRECTORY}/open.html", context, status=200 if request.method == "GET" else 422
        )
    training = bool(form and form.cleaned_data["training"])
    try:
        user = door.open_door(link, agreed=form is not None, training=training)
    except DoorError as error:
        return public_page(request, preview, f"{DIRECTORY}/link_over.html", {"problem": error}, status=410)
    login(request, user)
    return redirect("visit", preview.slug)


@access.visitor_required
@require_POST
def preview_leave(request: HttpRequest, slug: str) -> HttpResponse:
    preview = lookup.preview_at(slug)
    logout(request)
    return redirect("preview_page", preview.slug)


def _door(request: HttpRequest, preview: Preview, form: DoorForm, template: str) -> HttpResponse:
    problem, status = "", 200 if request.method == "GET" else 422
    if request.method == "POST" and form.is_valid():
        try:
            if not form.is_by_program:
                _ask_for_link(request, preview, form)
            return redirect("preview_sent", preview.slug)
        except TooMany as error:
            problem, status = str(error), 429
    context = {"form": form, "opened": opened_now(), "problem": problem, "terms": preview.terms}
    return public_page(request, preview, template, context, status=status)


def _ask_for_link(request: HttpRequest, preview: Preview, form: DoorForm) -> None:
    is_sign_up = isinstance(form, SignUpForm)
    version = preview.terms.version if preview.terms else 0
    door.ask_for_link(
        preview,
        email=form.cleaned_data["email"],
        address=request.META.get("REMOTE_ADDR", ""),
        url_of=lambda token: request.build_absolute_uri(reverse("preview_open", args=(preview.slug, token))),
        terms_version=version if is_sign_up else None,
        training=is_sign_up and form.cleaned_data["training"],
    )
