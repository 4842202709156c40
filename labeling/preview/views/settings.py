"""What an admin sets up under a project's settings, the samples, prompts of visitors; and mail that was caught."""

import uuid

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import CaughtMail, Completion, Preview, PreviewSample, Project, User
from labeling.preview import administration, limits, samples, taking_in
from labeling.preview.forms import PreviewForm, SampleForm
from labeling.sampling.runs import SamplingError
from labeling.web import access

MOST_MAIL = 50


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def preview_settings(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    preview = administration.preview_of(project)
    terms = preview.terms.text if preview.pk and preview.terms else administration.FIRST_TERMS
    form = PreviewForm(request.POST or None, instance=preview, initial={"terms": terms})
    if request.method == "POST" and form.is_valid():
        administration.save(form.instance, terms=form.cleaned_data["terms"], by=access.person(request))
        messages.success(request, _("Saved."))
        return redirect("preview_settings", project.slug)
    saved = Preview.objects.filter(project=project).first()
    context = {
        "project": project,
        "section": "project_settings",
        "form": form,
        "preview": saved,
        "tokens_today": limits.tokens_today(saved) if saved else 0,
        "num_eligible": taking_in.eligible(saved).count() if saved else 0,
        "catches_mail": settings.CATCHES_MAIL,
    }
    return render(request, "labeling/preview/settings.html", context, status=422 if form.errors else 200)


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def preview_samples(request: HttpRequest, slug: str) -> HttpResponse:
    """The samples, frozen or not, and the form for another."""
    project, preview = _preview_of(request, slug)
    both = {"left": project.policy_id, "right": preview.second_policy_id}
    form = SampleForm(request.POST or None, initial=both, project=project)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            samples.make(
                preview,
                prompt=given["prompt"],
                policies=(given["left"], given["right"]),
                chosen_from=given["chosen_from"],
                by=access.person(request),
            )
        except SamplingError as error:
            form.add_error("prompt", str(error))
        else:
            return redirect("preview_samples", project.slug)
    found = preview.samples.prefetch_related("answers__policy", "answers__run__completions")
    context = {"project": project, "section": "project_settings", "preview": preview, "form": form, "samples": found}
    return render(request, "labeling/preview/samples.html", context, status=422 if form.errors else 200)


@access.role_required(User.Role.ADMIN)
@require_POST
def freeze_sample(request: HttpRequest, slug: str, sample_id: int) -> HttpResponse:
    """Pin a sample with one answer of each side."""
    project, preview = _preview_of(request, slug)
    sample = get_object_or_404(preview.samples, id=sample_id)
    chosen = [_chosen(sample, request.POST.get(f"side:{side}", "")) for side in (0, 1)]
    try:
        samples.freeze(sample, chosen=[one for one in chosen if one is not None], by=access.person(request))
    except samples.SampleError as error:
        messages.error(request, str(error))
    return redirect("preview_samples", project.slug)


@access.role_required(User.Role.ADMIN)
@require_POST
def remove_sample(request: HttpRequest, slug: str, sample_id: int) -> HttpResponse:
    project, preview = _preview_of(request, slug)
    samples.remove(get_object_or_404(preview.samples, id=sample_id), by=access.person(request))
    return redirect("preview_samples", project.slug)


@access.role_required(User.Role.ADMIN)
@require_POST
def take_in_prompts(request: HttpRequest, slug: str) -> HttpResponse:
    """Make prompts of chats whose visitors consented."""
    project, preview = _preview_of(request, slug)
    num = taking_in.take_in(preview, by=access.person(request))
    said = ngettext("%(n)d new prompt is in the pool.", "%(n)d new prompts are in the pool.", num)
    messages.success(request, said % {"n": num})
    return redirect("preview_settings", project.slug)


@access.role_required(User.Role.ADMIN)
@require_GET
def caught_mail(request: HttpRequest) -> HttpResponse:
    """Mail that was caught because no mail server is set."""
    context = {"section": "home", "mails": CaughtMail.objects.all()[:MOST_MAIL], "catches_mail": settings.CATCHES_MAIL}
    return render(request, "labeling/preview/mail.html", context)


def _preview_of(request: HttpRequest, slug: str) -> tuple[Project, Preview]:
    project = access.project_for(request, slug)
    preview = Preview.objects.filter(project=project).select_related("project").first()
    if preview is None:
        raise Http404
    return project, preview


def _chosen(sample: PreviewSample, identifier: str) -> Completion | None:
    try:
        wanted = uuid.UUID(identifier)
    except ValueError:
        return None
    return Completion.objects.filter(id=wanted, run__in=sample.answers.values("run")).first()
