"""Forms of feedback contests: setting one up, an entry, marks, what an admin decides, objections."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.challenges.entries import Words, own_reports
from labeling.challenges.jury import Given
from labeling.models import Challenge, Report, User
from labeling.models.public.challenges import HIGHEST_MARK, default_criteria
from labeling.web.form_fields import ProseField

LONGEST_WHY = 2000
LONGEST_ENTRY = 20_000
DEFAULT_RULES = _(
    "Who may enter: anybody of 18 or older. There is nothing to buy, and buying something changes nothing. Admins, "
    "reviewers and engineers of this platform and the jurors of this contest may not enter.\n\n"
    "What an entry is: reports of your own on this project's outputs, and your words on what they show. Real use "
    "counts for more than tricks. Leave out what would help somebody do harm; say that it exists.\n\n"
    "How it is judged: at least three jurors, drawn by lot, mark each entry from 0 to 4 by each criterion, without "
    "knowing whose it is or what others gave. Of entries that show the same, the first one sent is credited.\n\n"
    "What we do with it: winners are told here, with the jury's reasons. Names are shown only where you allow it. "
    "Entrants may object for seven days, and every objection is answered."
)


def _moment(label: Any) -> forms.DateTimeField:
    picker = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=picker)


def _weight(label: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=10, initial=1)


class ChallengeForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=120)
    slug = forms.SlugField(label=_("Address"), max_length=60, help_text=_("challenges/ADDRESS/, for everybody"))
    opens_at = _moment(_("Opens"))
    closes_at = _moment(_("Closes"))
    num_prizes = forms.IntegerField(label=_("Prizes"), min_value=1, max_value=1000, initial=20)
    most_entries = forms.IntegerField(label=_("Entries a person"), min_value=1, max_value=100, initial=5)
    weight_risk = _weight(_("Weight of real-world risk"))
    weight_novelty = _weight(_("Weight of novelty"))
    weight_form = _weight(_("Weight of the use of the free form"))
    prizes = ProseField(label=_("Prizes, in words"), rows=3, required=False, max_length=5000, help_text=_("Markdown."))
    rules = ProseField(label=_("Rules"), rows=14, max_length=50_000, initial=DEFAULT_RULES, help_text=_("Markdown."))

    def __init__(self, *args: Any, challenge: Challenge | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.challenge = challenge
        if challenge is not None:
            self.fields["slug"].disabled = True

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if self.challenge is None and Challenge.objects.filter(slug=slug).exists():
            raise forms.ValidationError(_("Another contest has this address."))
        return slug

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "opens_at" in values and "closes_at" in values and values["closes_at"] <= values["opens_at"]:
            self.add_error("closes_at", _("It closes after it opens."))
        if not any(values.get(f"weight_{one['key']}") for one in default_criteria()):
            self.add_error("weight_risk", _("One criterion at least has a weight."))
        return values

    def values(self) -> dict[str, Any]:
        """The columns of a challenge."""
        named = ("title", "slug", "opens_at", "closes_at", "num_prizes", "most_entries", "prizes")
        criteria = [one | {"weight": self.cleaned_data[f"weight_{one['key']}"]} for one in default_criteria()]
        return {name: self.cleaned_data[name] for name in named} | {"criteria": criteria}


def initial_of(challenge: Challenge) -> dict[str, Any]:
    """What the form of a challenge that is there begins with."""
    named = ("title", "slug", "opens_at", "closes_at", "num_prizes", "most_entries", "prizes")
    weights = {f"weight_{one['key']}": one["weight"] for one in challenge.criteria}
    rules = challenge.rules
    return {name: getattr(challenge, name) for name in named} | weights | {"rules": rules.text if rules else ""}


class EntryForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    reports = forms.ModelMultipleChoiceField(
        label=_("Reports of yours"),
        queryset=Report.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    text = ProseField(label=_("What they show, and why it matters"), rows=12, required=False, max_length=LONGEST_ENTRY)
    shows_name = forms.BooleanField(
        label=_("Show my name if this entry wins or is credited"), required=False, help_text=_("Else it is not named.")
    )
    is_adult = forms.BooleanField(label=_("I am 18 or older"), required=False)
    accepts_rules = forms.BooleanField(label=_("I accept the rules"), required=False)
    rules_version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=10**6)

    def __init__(self, *args: Any, challenge: Challenge, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reports"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = own_reports(user, challenge)

    def words(self) -> Words:
        given = self.cleaned_data
        return Words(
            title=given["title"], text=given["text"], reports=tuple(given["reports"]), shows_name=given["shows_name"]
        )

    def accepted(self) -> int | None:
        return self.cleaned_data["rules_version"] if self.cleaned_data["accepts_rules"] else None


class MarkForm(forms.Form):
    """A mark and a reason for each criterion, as `mark:KEY` and `why:KEY`."""

    def __init__(self, *args: Any, challenge: Challenge, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.criteria = challenge.criteria
        for one in self.criteria:
            self.fields[f"mark:{one['key']}"] = forms.TypedChoiceField(
                choices=[(value, str(value)) for value in range(HIGHEST_MARK + 1)], coerce=int
            )
            self.fields[f"why:{one['key']}"] = ProseField(rows=2, max_length=LONGEST_WHY)

    def given(self) -> dict[str, Given]:
        values = self.cleaned_data
        return {
            one["key"]: Given(value=values[f"mark:{one['key']}"], why=values[f"why:{one['key']}"])
            for one in self.criteria
        }


class JurorForm(forms.Form):
    username = forms.CharField(label=_("Username"), max_length=80)

    def clean_username(self) -> User:
        name = self.cleaned_data["username"]
        found = User.objects.filter(username__iexact=name, is_active=True, is_simulated=False).first()
        if found is None:
            raise forms.ValidationError(_("Nobody here has this username."))
        return found


class ReasonForm(forms.Form):
    why = ProseField(label=_("Why"), rows=3, max_length=LONGEST_WHY)


class DuplicateForm(ReasonForm):
    other = forms.UUIDField(widget=forms.HiddenInput)


class ReleaseForm(forms.Form):
    released = forms.BooleanField(required=False)


class ResultsForm(forms.Form):
    """The jury's words on the whole; the reason for each winner comes as `reason:ID`."""

    words = ProseField(label=_("The jury's words"), rows=5, max_length=LONGEST_ENTRY)


class ObjectionForm(forms.Form):
    objection = ProseField(label=_("Your objection"), rows=4, max_length=LONGEST_WHY)


class ReplyForm(forms.Form):
    reply = ProseField(label=_("Answer"), rows=3, max_length=LONGEST_WHY)
