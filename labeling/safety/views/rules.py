"""The rules of a project's content filter, and their versions."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from labeling.models import Filter, FilterRules, User
from labeling.safety import filters
from labeling.safety import rules as safety_rules
from labeling.safety.forms import RulesForm
from labeling.web import access


@access.role_required(User.Role.ADMIN)
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest, slug: str) -> HttpResponse:
    """The rules in force, to be changed: what is saved is a new version."""
    project = access.project_for(request, slug)
    newest = FilterRules.objects.in_force(project)
    initial = {"is_on": newest is None or newest.is_on, "version": newest.version if newest else 0}
    form = RulesForm(request.POST or None, shown=safety_rules.current(project), initial=initial)
    problems: tuple[str, ...] = ()
    if request.method == "POST" and form.is_valid():
        given = {name: form.cleaned_data[name] for name in ("is_on", "note")}
        try:
            seen = form.cleaned_data["version"]
            made = safety_rules.save(project, form.rules, seen=seen, by=access.person(request), **given)
        except safety_rules.RulesError as error:
            problems = error.problems
        else:
            sentence = _("Version %(n)d is in force.") % {"n": made.version} if made else _("Nothing changed.")
            messages.info(request, sentence)
            return redirect("rules", project.slug)
    found = Filter.objects.in_force()
    context = {
        "project": project,
        "section": "project_settings",
        "form": form,
        "problems": problems,
        "filter": found,
        "figures": filters.figures_of(found),
        "precise_enough": filters.PRECISE_ENOUGH,
        "newest": newest,
        "versions": safety_rules.versions(project),
    }
    return render(request, "labeling/safety/rules.html", context, status=422 if problems or form.errors else 200)
