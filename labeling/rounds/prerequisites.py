"""What a training still lacks, in words, with the page where it comes from."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from labeling.exports.filters import Filters
from labeling.exports.selection import demonstration_rows, ranking_rows, thumb_rows
from labeling.models import Export, Project, Prompt, TrainingJob
from labeling.rounds.training_form import TrainingForm
from labeling.rounds.training_inputs import EXPORT_KINDS


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What is missing before this training can start, what to do about it, and where."""

    sentence: str
    action: str
    url: str


def lacks_of(form: TrainingForm, project: Project) -> list[Lack]:
    """Everything that is missing, in the order in which it can be had; empty where the form can be filled."""
    lacks = [] if form.has_export else [_without_export(project, EXPORT_KINDS[form.job_kind])]
    if form.lacks_reward_model:
        lacks.append(
            Lack(
                sentence=_("It has a reward model score what the policy answers, and none has been made yet."),
                action=_("Train a reward model"),
                url=f"{reverse('rounds', args=(project.slug,))}?kind={TrainingJob.Kind.REWARD_MODEL.value}#train",
            )
        )
    return lacks


def _without_export(project: Project, kind: Export.Kind) -> Lack:
    """Rows that were never exported, or, before those, the rows themselves."""
    data = reverse("data", args=(project.slug,))
    rows, sentence = _rows_of(project, kind)
    if not rows.exists():
        return Lack(sentence=sentence, action=_("Bring some in"), url=data)
    return Lack(
        sentence=_("It needs a finished export of %(kind)s in the records format, and there is none.")
        % {"kind": kind.label.lower()},
        action=_("Build one first"),
        url=f"{data}?kind={kind.value}",
    )


def _rows_of(project: Project, kind: Export.Kind) -> tuple[QuerySet[Any], str]:
    """What an export of this kind would be made of, and what to say where there is nothing of it."""
    if kind == Export.Kind.DEMONSTRATIONS:
        rows: QuerySet[Any] = demonstration_rows(project, Filters())
        return rows, _("It learns from demonstrations, and none has been accepted here yet.")
    if kind == Export.Kind.RANKINGS:
        return ranking_rows(project, Filters()), _("It learns from rankings, and nobody has ranked anything here yet.")
    if kind == Export.Kind.THUMBS:
        sentence = _(
            "It learns from thumbs, and there are none here yet: people give them in chats, or a file has them."
        )
        return thumb_rows(project, Filters()), sentence
    return Prompt.objects.in_use().filter(project=project), _("It answers prompts, and the pool holds none yet.")
