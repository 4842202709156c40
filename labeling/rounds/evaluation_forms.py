"""The forms of an evaluation by people, and of a promotion."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Policy, Project
from labeling.rounds.evaluations import MOST_PROMPTS, NUM_PROMPTS

MOST_PER_PAIR = 10
LONGEST_REASON = 2000  # characters


class EvaluationForm(forms.Form):
    """Who is judged, on how many prompts, and how often trainers meet the pairs."""

    candidates = forms.ModelMultipleChoiceField(
        label=_("Policies to be judged"),
        queryset=Policy.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one policy to be judged.")},
    )
    num_prompts = forms.IntegerField(
        label=_("Prompts"),
        min_value=1,
        max_value=MOST_PROMPTS,
        initial=NUM_PROMPTS,
        help_text=_("Held-out ones, as far as there are so many. Sampling stops with the verdict."),
    )
    verdicts_per_pair = forms.IntegerField(
        label=_("People a pair"),
        min_value=1,
        max_value=MOST_PER_PAIR,
        initial=1,
        help_text=_("One says the most for the work; more where prompts are few."),
    )
    share = forms.IntegerField(
        label=_("Share of trainers' places, in per cent"),
        min_value=1,
        max_value=100,
        initial=50,
        help_text=_("The rest of what they are handed is ordinary work."),
    )

    def __init__(self, values: Any = None, *, project: Project, initial: dict[str, Any] | None = None) -> None:
        super().__init__(values, initial=initial)
        field = self.fields["candidates"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        offered = Policy.objects.open_to(project).exclude(state=Policy.State.RETIRED).order_by("-created_at")
        field.queryset = offered.exclude(id=project.policy_id) if project.policy_id else offered


class PromotionForm(forms.Form):
    """Why a policy is promoted. Whether a reason is needed depends on what people said (labeling.rounds.promotion)."""

    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Kept with the promotion and shown on the model's page."),
    )
