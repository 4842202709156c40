"""A project's page, and how an admin creates it, changes its settings and chooses its people."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import User
from labeling.projects import administration
from labeling.projects.forms import MembershipForm, NewProjectForm, ProjectForm
from labeling.projects.next_steps import next_step, project_statuses
from labeling.projects.sections import sections
from labeling.sampling.forms import mixture_forms
from labeling.sampling.mixtures import change_mixture
from labeling.sampling.progress import coming_sentence
from labeling.web import access


@access.signed_in
@require_GET
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """The next step for this person, and the sections of the project that their role opens."""
    found = access.project_for(request, slug)
    user = access.person(request)
    status = project_statuses([found], user=user)[found.pk]
    if status.coming and not status.comparisons_wait:
        status.coming = coming_sentence(found) or status.coming
    context = {
        "project": found,
        "section": "project",
        "step": next_step(found, status, user=user),
        "sections": sections(found, status, user=user),
        "round": found.current_round,
        "guidelines": found.guidelines,
        "has_practice": user.can_write_and_rank and found.comparisons.practice_set().exists(),
    }
    return render(request, "labeling/projects/project.html", context)


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def new_project(request: HttpRequest) -> HttpResponse:
    form = NewProjectForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        status = 422 if form.errors else 200
        return render(request, "labeling/projects/new_project.html", {"form": form, "section": "home"}, status=status)
    try:
        begun = administration.begin_project(**form.cleaned_data, by=access.person(request))
    except administration.ProjectError as error:
        form.add_error("name", str(error))
        return render(request, "labeling/projects/new_project.html", {"form": form, "section": "home"}, status=422)
    messages.success(request, _("The project is begun."))
    return redirect("project", begun.slug)


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def project_settings(request: HttpRequest, slug: str) -> HttpResponse:
    found = access.project_for(request, slug)
    # Validation writes into the form's instance even where it fails, so it gets a row of its own.
    form = ProjectForm(request.POST or None, instance=access.project_for(request, slug))
    mixture = mixture_forms(found, request.POST or None)
    if request.method == "POST" and all([form.is_valid(), mixture.is_valid()]):
        with transaction.atomic():
            administration.change_project(found, values=form.cleaned_data, by=access.person(request))
            change_mixture(found, mixture.parts, by=access.person(request))
        messages.success(request, _("Saved."))
        return redirect("project_settings", found.slug)
    context = {"project": found, "section": "project_settings", "form": form, "mixture": mixture}
    status = 200 if request.method == "GET" else 422
    return render(request, "labeling/projects/project_settings.html", context, status=status)


@access.role_required(User.Role.ADMIN)
@require_POST
def archive_project(request: HttpRequest, slug: str) -> HttpResponse:
    found = access.project_for(request, slug)
    administration.set_archived(found, archived=request.POST.get("archived") == "yes", by=access.person(request))
    messages.success(request, _("Archived.") if found.archived_at else _("It is back."))
    return redirect("project_settings", found.slug)


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def project_people(request: HttpRequest, slug: str) -> HttpResponse:
    found = access.project_for(request, slug)
    # With nobody chosen the POST is empty, so the method decides whether the form is bound.
    form = MembershipForm(request.POST if request.method == "POST" else None, project=found)
    if request.method == "POST" and form.is_valid():
        administration.choose_members(found, members=form.cleaned_data["members"], by=access.person(request))
        messages.success(request, _("Saved."))
        return redirect("project_people", found.slug)
    context = {
        "project": found,
        "section": "project_settings",
        "form": form,
        "candidates": form.candidates,
        "chosen": set(form.initial["members"]),
    }
    return render(request, "labeling/projects/project_people.html", context, status=422 if form.errors else 200)
