"""What a project has to export: the figures at the top of its data page."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.exports.filters import Filters
from labeling.exports.selection import demonstration_rows, ranking_rows, thumb_rows
from labeling.models import Comparison, Dialogue, Project, Prompt
from labeling.prompts import near_duplicates


@dataclass(frozen=True, kw_only=True)
class InventoryFigure:
    """One figure: what is counted, how many, and a note."""

    label: str
    num: int
    note: str


def inventory(project: Project) -> list[InventoryFigure]:
    """What a project has, counted as an export would select it; thumbs only where there are some."""
    figures = [_demonstrations(project), _rankings(project), _prompts(project), _comparisons(project)]
    return [*figures, *_thumbs(project)]


def _demonstrations(project: Project) -> InventoryFigure:
    num = demonstration_rows(project, Filters()).count()
    waiting = project.dialogues.filter(state=Dialogue.State.SUBMITTED).count()
    note = ngettext("%(n)d more waits for review", "%(n)d more wait for review", waiting) % {"n": waiting}
    return InventoryFigure(label=_("Demonstrations"), num=num, note=note if waiting else _("accepted dialogues"))


def _rankings(project: Project) -> InventoryFigure:
    counts = (
        ranking_rows(project, Filters())
        .order_by()
        .aggregate(
            all=Count("id"),
            imported=Count("id", filter=Q(trainer=None)),
            simulated=Count("id", filter=Q(trainer__is_simulated=True)),
        )
    )
    parts = [
        _("%(n)s by people") % {"n": f"{counts['all'] - counts['imported'] - counts['simulated']:,}"},
        _("%(n)s simulated") % {"n": f"{counts['simulated']:,}"},
        _("%(n)s imported") % {"n": f"{counts['imported']:,}"},
    ]
    return InventoryFigure(label=_("Rankings"), num=counts["all"], note=", ".join(parts))


def _prompts(project: Project) -> InventoryFigure:
    in_use = Prompt.objects.in_use().filter(project=project)
    num_pairs = near_duplicates.pairs(project).count()
    note = ngettext("%(n)s is nearly an earlier one", "%(n)s are nearly earlier ones", num_pairs) % {
        "n": f"{num_pairs:,}"
    }
    return InventoryFigure(label=_("Prompts"), num=in_use.count(), note=note if num_pairs else _("in the pool"))


def _comparisons(project: Project) -> InventoryFigure:
    waiting = project.comparisons.filter(state=Comparison.State.OPEN, use=Comparison.Use.WORK).count()
    sampling = project.comparisons.filter(state=Comparison.State.SAMPLING).count()
    note = ngettext("%(n)d is being sampled", "%(n)d are being sampled", sampling) % {"n": sampling}
    return InventoryFigure(label=_("Comparisons to rank"), num=waiting, note=note)


def _thumbs(project: Project) -> list[InventoryFigure]:
    counts = thumb_rows(project, Filters()).order_by().aggregate(all=Count("id"), up=Count("id", filter=Q(up=True)))
    note = _("%(up)s up, %(down)s down") % {"up": f"{counts['up']:,}", "down": f"{counts['all'] - counts['up']:,}"}
    return [InventoryFigure(label=_("Thumbs"), num=counts["all"], note=note)] if counts["all"] else []
