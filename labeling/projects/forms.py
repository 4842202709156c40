"""Forms of a project: create it, change its settings, write its guidelines, choose its members."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from labeling.models import Policy, Project, User
from labeling.web.form_fields import ProseField


class NewProjectForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(
        label=_("What it is for"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    guidelines = ProseField(
        label=_("Guidelines"),
        rows=10,
        help_text=_("Markdown. What a good answer is, for the people who write and rank. You can change them later."),
    )

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        slug = slugify(name)[:60]
        if not slug:
            raise ValidationError(_("Use at least one Latin letter or digit, since the address is made from the name."))
        if Project.objects.filter(slug=slug).exists():
            raise ValidationError(_("There is a project of this name already."))
        return name


class ProjectForm(forms.ModelForm[Project]):
    """The settings of a project. A change does not affect work that is done already."""

    GROUPS = (
        (_("The project"), "", ("name", "description")),
        (
            _("Sampling"),
            _("How what is compared, and what is said in chats, is drawn from the policy."),
            ("policy", "temperature", "top_p", "max_new_tokens"),
        ),
        (
            _("Comparisons"),
            _("What trainers rank, and how often each is ranked."),
            (
                "num_completions",
                "rankings_wanted",
                "comparisons_ready",
                "lease_minutes",
                "minutes_to_change",
                "adjudicates_below",
                "keeps_original",
                "asks_ratings",
                "asks_strengths",
                "forbids_own_text",
                "joins_written",
                "compares_thumbs_down",
            ),
        ),
        (
            _("Known orders"),
            _("Comparisons that have a reference ranking: to practise on, or mixed into the queue."),
            ("practice_required", "gold_every"),
        ),
        (
            _("Writing"),
            _("What helps the people who write."),
            (
                "num_suggestions",
                "suggestion_temperature",
                "suggestion_top_p",
                "suggestion_max_new_tokens",
                "control_share",
                "grace_minutes",
            ),
        ),
        (_("Reviewing"), _("How dialogues that were handed in are read."), ("hides_authors",)),
    )

    control_share = forms.FloatField(
        label=_("Written without suggestions, percent"),
        min_value=0,
        max_value=100,
        help_text=_("So many of a hundred dialogues offer none, so that their influence can be measured."),
    )

    gold_every = forms.IntegerField(
        label=_("One gold item in so many comparisons"),
        required=False,
        min_value=0,
        max_value=1000,
        help_text=_("0 mixes in none. Where in so many it comes, nobody can tell."),
    )

    class Meta:
        model = Project
        fields = (
            "name",
            "description",
            "policy",
            "temperature",
            "top_p",
            "max_new_tokens",
            "num_completions",
            "rankings_wanted",
            "comparisons_ready",
            "lease_minutes",
            "minutes_to_change",
            "adjudicates_below",
            "keeps_original",
            "asks_ratings",
            "asks_strengths",
            "forbids_own_text",
            "joins_written",
            "compares_thumbs_down",
            "practice_required",
            "gold_every",
            "num_suggestions",
            "suggestion_temperature",
            "suggestion_top_p",
            "suggestion_max_new_tokens",
            "grace_minutes",
            "hides_authors",
        )
        labels = {  # noqa: RUF012
            "description": _("What it is for"),
            "policy": _("Policy"),
            "temperature": _("Temperature"),
            "top_p": _("Top-p"),
            "max_new_tokens": _("Longest completion, tokens"),
            "num_completions": _("Completions to rank (K)"),
            "rankings_wanted": _("Rankings wanted of each"),
            "comparisons_ready": _("Comparisons kept ready"),
            "lease_minutes": _("Reserved for, minutes"),
            "minutes_to_change": _("A ranking can be changed for, minutes"),
            "adjudicates_below": _("Adjudicate below an agreement of, percent"),
            "keeps_original": _("The message that was chosen is one of the K"),
            "asks_ratings": _("Rate each completion alone before ranking"),
            "asks_strengths": _("Say how much better each tier is than the next"),
            "forbids_own_text": _("Nobody ranks what they wrote themselves"),
            "joins_written": _("Accepted texts that people wrote while ranking are ranked as well"),
            "compares_thumbs_down": _("Compare what got a thumb down"),
            "practice_required": _("Newcomers do the practice set before they rank"),
            "num_suggestions": _("Suggestions offered"),
            "suggestion_temperature": _("Temperature of suggestions"),
            "suggestion_top_p": _("Top-p of suggestions"),
            "suggestion_max_new_tokens": _("Longest suggestion, tokens"),
            "grace_minutes": _("A submission can be undone for, minutes"),
            "hides_authors": _("Reviewers do not see who wrote a dialogue until they have decided on it"),
        }
        help_texts = {  # noqa: RUF012
            "policy": _("The model that answers, suggests and is ranked."),
            "temperature": _("1 samples as the policy believes; 0 always takes the likeliest word."),
            "top_p": _("1 leaves out nothing."),
            "num_completions": _("2 to 9."),
            "comparisons_ready": _("How many are sampled ahead of the trainers."),
            "minutes_to_change": _(
                "After it is submitted, by the person who made it. Until the change is submitted, the old one counts; "
                "0 switches changing off."
            ),
            "adjudicates_below": _(
                "Empty: only what an admin sends. Agreement is the share of pairs that two rankings order alike; a tie "
                "of one counts half. Applied when the last ranking that is wanted comes in."
            ),
            "asks_ratings": _(
                "No ranking is submitted before each has its overall rating, 1 to 7; flags and notes stay optional."
            ),
            "asks_strengths": _(
                "A little, clearly or far; no ranking is submitted before it is said of every two neighbouring tiers. "
                "Exports with a margin add it up."
            ),
            "compares_thumbs_down": _(
                "The prompt of a thumb down that comes in is compared at once in the open round."
            ),
            "num_suggestions": _("0 to 6; 0 offers none."),
            "hides_authors": _("Admins review too, so it holds for them as well."),
            "suggestion_temperature": _(
                "Lower than what is compared: suggestions are to help, not to show the policy."
            ),
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        policy = self.fields["policy"]
        assert isinstance(policy, forms.ModelChoiceField)
        policy.queryset = Policy.objects.open_to(self.instance).exclude(state=Policy.State.RETIRED).order_by("name")
        policy.empty_label = str(_("none yet"))
        self.initial["control_share"] = round(100 * self.instance.control_share, 1)

    def clean_control_share(self) -> float:
        return float(self.cleaned_data["control_share"]) / 100

    def clean_gold_every(self) -> int:
        return int(self.cleaned_data["gold_every"] or 0)

    def groups(self) -> list[tuple[Any, Any, list[forms.BoundField]]]:
        """The fields in the groups of the page: heading, sentence, fields."""
        return [(heading, sentence, [self[name] for name in names]) for heading, sentence, names in self.GROUPS]


class GuidelinesForm(forms.Form):
    text = ProseField(label=_("Guidelines"), rows=24, help_text=_("Markdown."))


class MembershipForm(forms.Form):
    """The members of a project. Admins are in every project without being members."""

    members = forms.ModelMultipleChoiceField(
        label=_("People in this project"),
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["members"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        self.candidates = (
            User.objects.filter(is_active=True)
            .exclude(role__in=(User.Role.ADMIN, User.Role.VISITOR))
            .order_by("username")
        )
        field.queryset = self.candidates
        self.initial.setdefault("members", list(project.members.values_list("pk", flat=True)))
