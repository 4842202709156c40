"""The first page: a person's projects, each with its next step."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.models import Project
from labeling.projects.next_steps import next_step, project_statuses
from labeling.web import access


@access.signed_in
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    projects = list(Project.objects.visible_to(user).current().order_by("name"))
    by_project = project_statuses(projects, user=user)
    context = {
        "section": "home",
        "projects": [(project, next_step(project, by_project[project.pk], user=user)) for project in projects],
    }
    return render(request, "labeling/projects/home.html", context)
