"""Guidelines: everybody in the project reads them, admins write them, every version is kept."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Adjudication, GuidelineVersion, Project, User
from labeling.projects import administration
from labeling.projects.forms import GuidelinesForm
from labeling.prompts.word_diff import line_changes
from labeling.web import access
from labeling.web.form_fields import TextForm, whole_number
from labeling.web.markdown import render_prose

_MOST_UNCLEAR = 50  # adjudications that ask for clearer guidelines, shown beside them


@access.signed_in
@require_GET
def guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    """An earlier version, or the newest, which is then noted as read, with the changes since the last version read."""
    project = access.project_for(request, slug)
    newest = project.guidelines
    shown = _version(project, request.GET.get("version")) or newest
    read_before = 0
    if shown is not None and shown == newest:
        read_before = administration.mark_guidelines_read(project, version=newest.version, by=access.person(request))
    context = {
        "project": project,
        "section": "guidelines",
        "shown": shown,
        "newest": newest,
        "read_before": read_before,
        "changes": _changes(project, since=read_before, until=newest),
    }
    return render(request, "labeling/projects/guidelines.html", context)


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def edit_guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    newest = project.guidelines
    form = GuidelinesForm(request.POST or None, initial={"text": newest.text if newest else ""})
    if request.method == "POST" and form.is_valid():
        made = administration.publish_guidelines(project, text=form.cleaned_data["text"], by=access.person(request))
        unchanged = newest is not None and made.version == newest.version
        messages.info(
            request, _("Nothing changed.") if unchanged else _("Version %(n)d is in force.") % {"n": made.version}
        )
        return redirect("edit_guidelines", project.slug)
    context = {
        "project": project,
        "section": "project_settings",
        "form": form,
        "versions": project.guideline_versions.select_related("created_by"),
        "unclear": Adjudication.objects.that_want_a_revision(project)[:_MOST_UNCLEAR],
        "next_version": newest.version + 1 if newest else 1,
    }
    return render(request, "labeling/projects/edit_guidelines.html", context, status=422 if form.errors else 200)


@access.signed_in
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The Markdown of a text as readers will see it."""
    form = TextForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=422)
    return HttpResponse(render_prose(form.cleaned_data["text"]))


def _version(project: Project, number: str | None) -> GuidelineVersion | None:
    if number is None:
        return None
    found = project.guideline_versions.filter(version=whole_number(number) or 0).first()
    if found is None:
        raise Http404
    return found


def _changes(project: Project, *, since: int, until: GuidelineVersion | None) -> list[tuple[str, str]]:
    """Removed and added lines between two versions; empty for a first reading."""
    before = project.guideline_versions.filter(version=since).first()
    if before is None or until is None or before.version == until.version:
        return []
    kinds = {"removed": "gone", "added": "came"}
    changes = line_changes(before.text, until.text)
    return [(kinds[change.kind], change.text) for change in changes if change.text.strip()]
