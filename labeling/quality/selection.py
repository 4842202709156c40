"""Which rankings the quality page speaks of: a round, a span of days, a topic, a version of the guidelines, a trainer.

All of it is in the address, so that a page of figures can be sent to somebody.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models import Project, Ranking, User

MOST_TOPICS = 200  # offered to choose from


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Everything that is None is not narrowed. `since` and `until` are days in the reader's zone, both inclusive."""

    round: int | None = None
    since: date | None = None
    until: date | None = None
    topic: str | None = None
    guidelines: int | None = None
    trainer: str | None = None  # a pseudonym

    def of(self, rankings: QuerySet[Ranking]) -> QuerySet[Ranking]:
        """With a trainer: the rankings of all comparisons that they ranked, since agreement needs the others' too."""
        if self.round is not None:
            rankings = rankings.filter(comparison__round__number=self.round)
        if self.since is not None:
            rankings = rankings.filter(ranked_at__gte=_midnight(self.since))
        if self.until is not None:
            rankings = rankings.filter(ranked_at__lt=_midnight(self.until + timedelta(days=1)))
        if self.topic is not None:
            rankings = rankings.filter(comparison__topic=self.topic)
        if self.guidelines is not None:
            rankings = rankings.filter(guideline_version__version=self.guidelines)
        if self.trainer is not None:
            theirs = Ranking.objects.filter(trainer__pseudonym=self.trainer, retracted_at=None)
            rankings = rankings.filter(Exists(theirs.filter(comparison=OuterRef("comparison"))))
        return rankings

    def concerns(self, *trainers: User | None) -> bool:
        """Whether a figure about these trainers is asked for."""
        return self.trainer is None or any(one is not None and one.pseudonym == self.trainer for one in trainers)

    @property
    def query(self) -> str:
        """The selection as the query of an address; empty where nothing is narrowed."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return urlencode({name: str(value) for name, value in values.items() if value is not None})


EVERYTHING = Selection()


class SelectionForm(forms.Form):
    """Offers what the project has; empty fields narrow nothing."""

    round = forms.TypedChoiceField(label=_("Round"), coerce=int, required=False, empty_value=None)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Up to"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    topic = forms.TypedChoiceField(label=_("Topic"), required=False, empty_value=None)
    guidelines = forms.TypedChoiceField(label=_("Guidelines"), coerce=int, required=False, empty_value=None)
    trainer = forms.TypedChoiceField(label=_("Trainer"), required=False, empty_value=None)

    def __init__(self, data: Any, *, project: Project, names_people: bool) -> None:
        super().__init__(data)
        rounds = project.rounds.order_by("-number").values_list("number", flat=True)
        versions = project.guideline_versions.values_list("version", flat=True)
        self._offer("round", [(number, number) for number in rounds])
        self._offer("guidelines", [(version, _("version %d") % version) for version in versions])
        self._offer("topic", [(topic, topic) for topic in _topics(project)])
        self._offer("trainer", [(one.pseudonym, name_of(one, names_people=names_people)) for one in _people(project)])

    def _offer(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("all")), *choices]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", _("This is before “From”, so nothing can lie between them."))
        return cleaned

    def selection(self) -> Selection:
        """What was chosen; call it on a valid form."""
        return Selection(**self.cleaned_data)


def name_of(trainer: User, *, names_people: bool) -> str:
    """Engineers, who have no part in the trainers' work, read pseudonyms, as in the exports that they take out."""
    return str(trainer) if names_people else trainer.pseudonym


def _people(project: Project) -> QuerySet[User]:
    ranked = Ranking.objects.filter(trainer=OuterRef("pk"), comparison__project=project)
    return User.objects.filter(Exists(ranked), is_simulated=False).order_by("username")


def _topics(project: Project) -> QuerySet[Any, str]:
    topics = project.comparisons.exclude(topic="").order_by("topic").values_list("topic", flat=True)
    return topics.distinct()[:MOST_TOPICS]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
