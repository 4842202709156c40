"""The forms of the public door, of a visitor's chat, and of an admin who sets a preview up."""

import time
from typing import Any, ClassVar

from django import forms
from django.core import signing
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.utils.translation import gettext_lazy as _

from labeling.models import Policy, Preview, PreviewSample, Project
from labeling.web.form_fields import FormWithProblems, ProseField

QUICKEST = 2.0  # seconds in which no person reads and fills the form
LONGEST_OPEN = 24 * 3600.0
_OPENED = "parley: when the form of a door was opened"


class DoorForm(forms.Form):
    """An address; with it a field that people do not see, and a signed time at which the form was shown."""

    email = forms.EmailField(
        label=_("Your e-mail address"),
        max_length=254,
        help_text=_("A link comes by e-mail. No password; the address is used for nothing else."),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    website = forms.CharField(required=False, label=_("Leave this empty"))  # programs fill it in
    opened = forms.CharField(required=False, widget=forms.HiddenInput)

    @property
    def is_by_program(self) -> bool:
        return bool(self.cleaned_data.get("website"))

    def clean_opened(self) -> str:
        given = self.cleaned_data["opened"]
        try:
            took = time.time() - float(signing.loads(given, salt=_OPENED))
        except (signing.BadSignature, ValueError) as error:
            raise forms.ValidationError(_("This form has lapsed. Please send it again.")) from error
        if took > LONGEST_OPEN:
            raise forms.ValidationError(_("This form has lapsed. Please send it again."))
        if took < QUICKEST:
            raise forms.ValidationError(_("That was quicker than people type. Please send it again in a moment."))
        return str(given)


class AgreementForm(forms.Form):
    """What a visitor declares. The box on training is no condition of anything."""

    adult = forms.BooleanField(label=_("I am 18 or older."), error_messages={"required": _("This is for adults only.")})
    terms = forms.BooleanField(
        label=_("I have read the terms and agree to them."),
        error_messages={"required": _("Without the terms we cannot let you in.")},
    )
    training = forms.BooleanField(
        required=False,
        label=_("Models may learn from what I write and choose here."),
        help_text=_("As you like: everything works the same without it, and you can change it at any time."),
    )


class SignUpForm(AgreementForm, DoorForm):
    """Everything at once: the address and what is declared."""

    field_order = ("email", "website", "opened", "adult", "terms", "training")


class TrainingForm(forms.Form):
    training = forms.BooleanField(required=False)


class VisitorSayForm(FormWithProblems):
    """A visitor's message. How long it may be is the preview's."""

    content = ProseField(rows=3, label=_("Your message"))

    def __init__(self, *args: Any, longest: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["content"]
        assert isinstance(field, forms.CharField)
        field.max_length = longest
        field.validators = [
            ProhibitNullCharactersValidator(),
            MaxLengthValidator(longest),
        ]


class PreviewForm(forms.ModelForm[Preview]):
    """A preview as an admin sets it up; the terms are kept as versions."""

    terms = ProseField(rows=10, label=_("Terms"), help_text=_("A changed text is a new version, to be agreed to."))

    class Meta:
        model = Preview
        fields = (
            "slug", "title", "welcome", "is_open", "is_listed", "second_policy", "messages_per_ten_minutes",
            "messages_per_day", "runs_at_once", "longest_message", "tokens_per_day",
        )  # fmt: skip
        labels: ClassVar = {
            "slug": _("Address, after /t/"),
            "title": _("Title"),
            "welcome": _("Welcome"),
            "is_open": _("Open to the public"),
            "is_listed": _("Search engines may list it"),
            "second_policy": _("Second model, to try two side by side"),
            "messages_per_ten_minutes": _("Messages of a visitor in ten minutes"),
            "messages_per_day": _("Messages of a visitor in a day"),
            "runs_at_once": _("Answers of a visitor under way at once"),
            "longest_message": _("Longest message, in characters"),
            "tokens_per_day": _("Tokens of all answers in a day"),
        }
        widgets: ClassVar = {"welcome": forms.Textarea(attrs={"rows": 6, "class": "reading"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        second: Any = self.fields["second_policy"]
        second.empty_label = str(_("none"))
        second.queryset = Policy.objects.open_to(self.instance.project).order_by("name")

    @property
    def groups(self) -> list[tuple[Any, Any, list[Any]]]:
        """The fields as the page shows them: heading, sentence, fields."""
        names = {
            _("The door"): ("", ("slug", "title", "is_open", "is_listed", "welcome")),
            _("Terms"): (_("Who is in agrees again once they change."), ("terms",)),
            _("Models"): (_("The project's policy answers."), ("second_policy",)),
            _("Limits"): (
                _("The public page says them in plain words."),
                ("messages_per_ten_minutes", "messages_per_day", "runs_at_once", "longest_message", "tokens_per_day"),
            ),
        }
        return [(heading, said, [self[name] for name in fields]) for heading, (said, fields) in names.items()]


class SampleForm(forms.Form):
    """A prompt for a sample: its two policies, and of how many answers each is chosen."""

    prompt = ProseField(rows=3, label=_("Prompt"), max_length=4000)
    left = forms.ModelChoiceField(label=_("Left"), queryset=Policy.objects.none())
    right = forms.ModelChoiceField(label=_("Right"), queryset=Policy.objects.none())
    chosen_from = forms.IntegerField(
        label=_("Answers to choose from"),
        min_value=1,
        max_value=PreviewSample.MOST_CHOSEN_FROM,
        initial=1,
        help_text=_("With 1 the answer stands as it comes; the page says it where one was chosen."),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("left", "right"):
            field: Any = self.fields[name]
            field.queryset = Policy.objects.open_to(project).order_by("name")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("left") is not None and given.get("left") == given.get("right"):
            self.add_error("right", _("Choose two different models."))
        return given


def opened_now() -> str:
    """The signed time for `DoorForm.opened`."""
    return signing.dumps(time.time(), salt=_OPENED)
