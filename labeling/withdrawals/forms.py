"""The forms of withdrawals: whose work, since when, of which kinds and why; and why one is undone."""

import uuid
from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models import Project, User, Withdrawal
from labeling.withdrawals.batches import LONGEST_TEXT
from labeling.withdrawals.selection import Wanted, is_known_outside, people_with_work


class PersonChoice(forms.ModelChoiceField[User]):
    def label_from_instance(self, user: User) -> str:
        return f"{user} ({user.username})" if user.display_name else user.username


class WithdrawalForm(forms.Form):
    person = PersonChoice(
        label=_("Person"), queryset=User.objects.none(), required=False, empty_label=_("nobody with an account")
    )
    outside_person = forms.CharField(
        label=_("or a name from outside"),
        max_length=80,
        required=False,
        help_text=_("Of imported rankings and thumbs, as the file or program named who gave them."),
    )
    since = forms.DateField(
        label=_("Made since"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: all, from the beginning."),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Kinds of work"), choices=Withdrawal.Kind.choices, widget=forms.CheckboxSelectMultiple
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Withdrawal.Reason.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label=_("In words"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("Kept with the withdrawal and in the audit. Needed where the reason is another."),
    )
    key = forms.UUIDField(widget=forms.HiddenInput)  # the withdrawal's id, so that a form sent twice makes one

    def __init__(self, values: Any = None, *, project: Project) -> None:
        super().__init__(values, initial={"kinds": Withdrawal.Kind.values, "key": uuid.uuid4()}, auto_id="withdraw-%s")
        self.project = project
        field = self.fields["person"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = people_with_work(project)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        name = values.get("outside_person", "")
        if "person" in values and (values["person"] is None) == (not name):
            self.add_error("person", _("Choose an account, or give a name from outside: one of both."))
        elif name and not is_known_outside(self.project, name):
            self.add_error("outside_person", _("Nothing came in under this name."))
        if values.get("reason") == Withdrawal.Reason.OTHER and not values.get("text", "").strip():
            self.add_error("text", _("Say what the other reason is."))
        return values

    @property
    def since_moment(self) -> datetime | None:
        """The beginning of the chosen day, in the zone of the account."""
        day = self.cleaned_data["since"]
        return timezone.make_aware(datetime.combine(day, time.min)) if day else None

    @property
    def wanted(self) -> Wanted:
        values = self.cleaned_data
        return Wanted(
            project=self.project,
            person=values["person"],
            outside_person=values["outside_person"],
            kinds=tuple(values["kinds"]),
            since=self.since_moment,
        )


class UndoForm(forms.Form):
    reason = forms.CharField(
        label=_("Why it is undone"),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("Kept with the withdrawal and in the audit."),
    )
