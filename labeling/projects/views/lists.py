"""Full lists of a project's prompts, thumbs, dialogues, exports, imports and training jobs, filtered and in pages."""

import uuid
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues.listing import with_opening_alone
from labeling.exports.retractions import marked
from labeling.imports.thumbs import set_retracted
from labeling.models import Dialogue, Export, Import, Project, Prompt, Thumb, TrainingJob, User
from labeling.prompts import near_duplicates
from labeling.prompts.pool import pool_topics
from labeling.sampling.comparisons import open_round
from labeling.web import access
from labeling.web.access import ENGINEERS, REVIEWERS
from labeling.web.listing import NEWEST, OLDEST, ListFilter, Listing, Order, by_column, listing
from labeling.web.redirects import return_url
from labeling.web.search import with_words_in_messages

MOST_TOPICS = 200  # offered as a filter; search finds the others


@access.role_required(*ENGINEERS)
@require_GET
def prompts(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    topics = [(topic, topic) for topic in pool_topics(project, with_retired=True)[:MOST_TOPICS]]
    in_use = ListFilter(
        name="use",
        label=_("Use"),
        choices=(("yes", _("in use")), ("no", _("retired"))),
        apply=lambda rows, value: rows.filter(retired_at__isnull=value == "yes"),
    )
    found = listing(
        request.GET,
        Prompt.objects.filter(project=project).select_related("retired_by").prefetch_related("follow_ups"),
        orders=(NEWEST, OLDEST),
        filters=(in_use, by_column("topic", _("Topic"), topics)),
        search=with_words_in_messages,
    )
    return _page(request, "prompts", project=project, found=found, section="data")


@access.role_required(*ENGINEERS)
@require_POST
def retire_prompt(request: HttpRequest, slug: str, prompt_id: uuid.UUID) -> HttpResponse:
    """Retire a prompt or bring it back; redirects to the page it was asked from."""
    prompt = access.prompt_of(access.project_for(request, slug), prompt_id)
    retired = request.POST.get("retired") == "yes"
    near_duplicates.set_retired(prompt, retired=retired, by=access.person(request))
    return redirect(return_url(request, default=reverse("prompts", args=(slug,))))


@access.role_required(*ENGINEERS)
@require_GET
def thumbs(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    rows = Thumb.objects.filter(project=project)
    thumb = ListFilter(
        name="thumb",
        label=_("Thumb"),
        choices=(("up", _("up")), ("down", _("down"))),
        apply=lambda found, value: found.filter(up=value == "up"),
    )
    use = ListFilter(
        name="use",
        label=_("Use"),
        choices=(("yes", _("counts")), ("no", _("retracted"))),
        apply=lambda found, value: found.filter(retracted_at__isnull=value == "yes"),
    )
    found = listing(
        request.GET,
        rows.select_related("policy", "prompt", "comparison__round"),
        orders=(NEWEST, OLDEST),
        filters=(thumb, use),
        search=lambda found, words: found.filter(Q(reason__icontains=words) | Q(content__icontains=words)),
    )
    counts = rows.that_count().aggregate(all=Count("id"), num_up=Count("id", filter=Q(up=True)))
    more = {
        "num_up": counts["num_up"],
        "num_down": counts["all"] - counts["num_up"],
        "has_round": open_round(project) is not None,
    }
    return _page(request, "thumbs", project=project, found=found, section="data", **more)


@access.role_required(*ENGINEERS)
@require_POST
def retract_thumb(request: HttpRequest, slug: str, thumb_id: uuid.UUID) -> HttpResponse:
    """Retract a thumb or bring it back; redirects to the page it was asked from."""
    thumb = access.thumb_of(access.project_for(request, slug), thumb_id)
    set_retracted(thumb, retracted=request.POST.get("retracted") == "yes", by=access.person(request))
    return redirect(return_url(request, default=reverse("thumbs", args=(slug,))))


@access.role_required(*REVIEWERS)
@require_GET
def dialogues(request: HttpRequest, slug: str) -> HttpResponse:
    """Dialogues that their authors have submitted, and the person's own."""
    project = access.project_for(request, slug)
    reader = access.person(request)
    states = [(value, label) for value, label in Dialogue.State.choices if value != Dialogue.State.WITHDRAWN]
    found = listing(
        request.GET,
        with_opening_alone(access.dialogues_for(request, project).select_related("author", "project")),
        orders=(NEWEST, OLDEST),
        filters=(by_column("state", _("State"), states), by_column("kind", _("Kind"), Dialogue.Kind.choices)),
        search=lambda rows, words: _written_by(rows, words, reader=reader),
    )
    return _page(request, "dialogues", project=project, found=found, section="review")


@access.role_required(*ENGINEERS)
@require_GET
def exports(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    found = listing(
        request.GET,
        project.exports.select_related("requested_by"),
        orders=(
            NEWEST,
            OLDEST,
            Order(name="largest", label=_("largest first"), columns=("-num_records", "-id")),
        ),
        filters=(
            by_column("kind", _("What"), Export.Kind.choices),
            by_column("state", _("State"), Export.State.choices),
        ),
    )
    marked(found.rows)
    return _page(request, "exports", project=project, found=found, section="data")


@access.role_required(*ENGINEERS)
@require_GET
def imports(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    found = listing(
        request.GET,
        project.imports.select_related("requested_by"),
        orders=(NEWEST, OLDEST),
        filters=(
            by_column("kind", _("What"), Import.Kind.choices),
            by_column("state", _("State"), Import.State.choices),
        ),
        search=lambda rows, words: rows.filter(file_name__icontains=words),
    )
    return _page(request, "imports", project=project, found=found, section="data")


@access.role_required(*ENGINEERS)
@require_GET
def jobs(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    related = ("export", "policy", "reward_model", "requested_by", "round")
    found = listing(
        request.GET,
        project.training_jobs.select_related(*related),
        orders=(NEWEST, OLDEST),
        filters=(
            by_column("kind", _("What"), TrainingJob.Kind.choices),
            by_column("state", _("State"), TrainingJob.State.choices),
        ),
        search=lambda rows, words: rows.filter(output_name__icontains=words),
    )
    return _page(request, "training_jobs", project=project, found=found, section="rounds")


def _written_by(rows: QuerySet[Dialogue], words: str, *, reader: User) -> QuerySet[Dialogue]:
    """Those of this topic or author; a search by name finds nothing whose author is kept from the reader."""
    people = User.objects.filter(Q(username__icontains=words) | Q(display_name__icontains=words))
    named = Dialogue.objects.naming_author_to(reader).filter(author__in=people)
    return rows.filter(Q(id__in=named.values("id")) | Q(topic__icontains=words))


def _page(
    request: HttpRequest, name: str, *, project: Project, found: Listing, section: str, **more: Any
) -> HttpResponse:
    context = {"project": project, "section": section, "listing": found, **more}
    return render(request, f"labeling/projects/{name}.html", context)
