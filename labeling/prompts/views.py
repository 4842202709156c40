"""The near-duplicates page: shows pairs of prompts side by side and takes a person's decision on each."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from labeling.models import Project, Prompt, PromptVector
from labeling.prompts import near_duplicates
from labeling.prompts.forms import DecisionForm, ThresholdForm
from labeling.prompts.word_diff import word_differences
from labeling.web import access
from labeling.web.access import ENGINEERS

PAGE = 20
MOST_RETIRED = 20


@access.role_required(*ENGINEERS)
@require_GET
def pairs(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, access.project_for(request, slug))


@access.role_required(*ENGINEERS)
@require_POST
def decide(request: HttpRequest, slug: str, prompt_id: uuid.UUID) -> HttpResponse:
    """Retire one prompt of a pair, or keep both. `prompt_id` is the pair's later prompt."""
    project = access.project_for(request, slug)
    prompt = access.prompt_of(project, prompt_id)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _page(request, project, status=422)
    by = access.person(request)
    decision = form.cleaned_data["decision"]
    if decision == DecisionForm.KEEP_BOTH:
        near_duplicates.keep_both(prompt, by=by)
    else:
        earlier = decision == DecisionForm.RETIRE_EARLIER
        chosen = near_duplicates.earlier_of(prompt) if earlier else prompt
        if chosen is not None:
            near_duplicates.set_retired(chosen, retired=True, by=by)
    return redirect("near_duplicates", project.slug)


@access.role_required(*ENGINEERS)
@require_POST
def retire_all(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    form = ThresholdForm(request.POST)
    if not form.is_valid():
        return _page(request, project, form=form, status=422)
    num = near_duplicates.retire_later(project, at_least=form.cleaned_data["at_least"], by=access.person(request))
    said = ngettext("%(n)d prompt was retired.", "%(n)d prompts were retired.", num) % {"n": num}
    messages.success(request, said if num else _("No two prompts are that near."))
    return redirect("near_duplicates", project.slug)


def _page(
    request: HttpRequest, project: Project, *, form: ThresholdForm | None = None, status: int = 200
) -> HttpResponse:
    page = Paginator(near_duplicates.pairs(project), PAGE).get_page(request.GET.get("page"))
    context = {
        "project": project,
        "section": "data",
        "page": page,
        "rows": [_row(pair) for pair in page.object_list],
        "waiting": near_duplicates.num_waiting(project),
        "retired": near_duplicates.retired(project)[:MOST_RETIRED],
        "near": near_duplicates.MIN_SIMILARITY,
        "form": form or ThresholdForm(),
    }
    return render(request, "labeling/prompts/near_duplicates.html", context, status=status)


def _row(pair: PromptVector) -> dict[str, Any]:
    earlier, later = pair.resembles, pair.prompt
    assert earlier is not None
    sides = word_differences(_as_text(earlier), _as_text(later))
    return {
        "similarity": pair.similarity,
        "later": later,
        "sides": [(_("Earlier"), earlier, sides[0]), (_("Later"), later, sides[1])],
    }


def _as_text(prompt: Prompt) -> str:
    """The prompt as one text; each message begins with its role, unless there is only one message."""
    if len(prompt.messages) == 1:
        return str(prompt.messages[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt.messages)
