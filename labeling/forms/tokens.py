"""What a new token of the API may do, where, and for how long."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import ApiToken, Project, User

LIVES = ((7, _("a week")), (30, _("a month")), (90, _("three months")), (365, _("a year")))
SCOPES = (
    (ApiToken.Scope.READ.value, _("Read what you may read")),
    (ApiToken.Scope.WRITE.value, _("Add prompts and dialogues, build exports")),
    (ApiToken.Scope.RANK.value, _("Take comparisons and rank them")),
    (ApiToken.Scope.PROMOTE.value, _("Promote policies")),
)


class TokenForm(forms.Form):
    """The fields are prefixed: the account page has other forms with a name in them."""

    prefix = "token"
    name = forms.CharField(label=_("What it is for"), max_length=80)
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=SCOPES, widget=forms.CheckboxSelectMultiple, initial=[ApiToken.Scope.READ.value]
    )
    project = forms.ModelChoiceField(
        label=_("Only in"), queryset=Project.objects.none(), required=False, empty_label=_("all your projects")
    )
    life = forms.TypedChoiceField(label=_("It ends after"), choices=LIVES, coerce=int, initial=90)

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Project.objects.visible_to(owner).order_by("name")

    def values(self) -> dict[str, Any]:
        """As labeling.tokens.make_token takes them."""
        return {**self.cleaned_data, "life": timedelta(days=self.cleaned_data["life"])}
