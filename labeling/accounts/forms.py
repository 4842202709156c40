"""The forms of accounts: sign-in, one's own settings and password, API tokens, and an admin's forms for people.

They check values only; labeling.accounts.users and labeling.accounts.api_tokens decide what may change.
"""

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from labeling.accounts.users import TOURS
from labeling.models import ApiToken, Project, User
from labeling.web.form_fields import ProseField
from labeling.web.navigation import BREAK_AFTER
from labeling.web.storable import InputRefused, read_json

THEMES = (("", _("Colours of this device")), ("light", _("Light")), ("dark", _("Dark")))
LIFETIMES = ((7, _("a week")), (30, _("a month")), (90, _("three months")), (365, _("a year")))
SCOPES = (
    (ApiToken.Scope.READ.value, _("Read what you may read")),
    (ApiToken.Scope.WRITE.value, _("Add prompts and dialogues, import files, build exports, train")),
    (ApiToken.Scope.RANK.value, _("Take comparisons and rank them")),
    (ApiToken.Scope.PROMOTE.value, _("Promote policies")),
    (ApiToken.Scope.PEOPLE.value, _("Open and close accounts, as an admin")),
)

_LONGEST_CREDENTIAL = 20_000  # characters: an answer of a passkey with its certificates has a few thousand


def _time_zones() -> list[tuple[str, str]]:
    """UTC and the zones of places. The old aliases (EST5EDT, Etc/…) are left out, since they only confuse."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in places)]


def _code_field(*, required: bool) -> forms.CharField:
    return forms.CharField(
        label=_("Code"),
        max_length=32,
        required=required,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}),
    )


class SignInForm(forms.Form):
    username = forms.CharField(
        label=_("Name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=256,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = _code_field(required=False)


class CodeForm(forms.Form):
    code = _code_field(required=True)


class ConfirmForm(forms.Form):
    """The password or a code; whoever has both may give either."""

    password = forms.CharField(
        label=_("Password"),
        max_length=256,
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    code = _code_field(required=False)


class PasskeyForm(forms.Form):
    """What a browser answers with a passkey; the page's script fills it in."""

    credential = forms.CharField(widget=forms.HiddenInput, max_length=_LONGEST_CREDENTIAL)

    def clean_credential(self) -> dict[str, Any]:
        try:
            credential = read_json(self.cleaned_data["credential"])
        except InputRefused as refused:
            raise ValidationError(_("That is no answer of a passkey.")) from refused
        if not isinstance(credential, dict):
            raise ValidationError(_("That is no answer of a passkey."))
        return credential


class NewPasskeyForm(PasskeyForm):
    name = forms.CharField(label=_("Name of the passkey"), max_length=80, required=False)


class ForgottenForm(forms.Form):
    name = forms.CharField(
        label=_("Name or e-mail address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )


class ChosenPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """A password that somebody chooses by a link."""

    def __init__(self, user: User, *args: object, **kwargs: object) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["new_password1"].help_text = _("At least 12 characters, and nothing that others would guess.")
        self.fields["new_password2"].label = _("The new password again")


class AccountForm(forms.ModelForm[User]):
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=_time_zones, help_text=_("Times are shown in it."))
    language = forms.ChoiceField(label=_("Language of Parley"), choices=lambda: settings.LANGUAGES)
    theme = forms.ChoiceField(label=_("Colours"), choices=THEMES, required=False)
    single_keys = forms.BooleanField(
        label=_("Single keys press buttons"),
        required=False,
        help_text=_("Letters, digits and signs, outside of texts. Those with Ctrl, Enter and Esc work in any case."),
    )
    daily_goal = forms.IntegerField(
        label=_("Goal for a day"),
        required=False,
        min_value=1,
        max_value=1000,
        help_text=_("Rankings and dialogues together, for yourself alone; nobody else sees it. Empty: no goal."),
    )
    break_after = forms.IntegerField(
        label=_("Minutes of work until a word about a break"),
        required=False,
        min_value=5,
        max_value=240,
        help_text=_("It is shown in the top bar. Five minutes without a key or a click are one. Empty: no such word."),
    )

    class Meta:
        model = User
        fields = ("display_name", "email", "time_zone", "language")
        labels = {"display_name": _("Name shown to others"), "email": _("E-mail")}  # noqa: RUF012
        help_texts = {"email": _("Optional. Parley writes to it only to open or mend your account.")}  # noqa: RUF012
        widgets = {  # noqa: RUF012
            "display_name": forms.TextInput(attrs={"autocomplete": "name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.initial.setdefault("theme", self.instance.preferences.get("theme", ""))
        self.initial.setdefault("single_keys", self.instance.preferences.get("single_keys", True))
        self.initial.setdefault("daily_goal", self.instance.preferences.get("daily_goal"))
        self.initial.setdefault("break_after", self.instance.preferences.get("break_after", BREAK_AFTER))
        if not self.instance.can_write_and_rank:
            del self.fields["daily_goal"], self.fields["break_after"]


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=THEMES, required=False)


class SnippetForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    text = ProseField(label=_("Text"), rows=5, max_length=10_000)


class TourForm(forms.Form):
    name = forms.ChoiceField(choices=[(name, name) for name in TOURS])


class PasswordForm(PasswordChangeForm):
    """Change one's own password. The rules are shown in one line, and the field does not take the page's focus."""

    def __init__(self, user: User, *args: object, **kwargs: object) -> None:
        super().__init__(user, *args, **kwargs)
        del self.fields["old_password"].widget.attrs["autofocus"]
        self.fields["new_password1"].help_text = _("At least 12 characters, and nothing that others would guess.")
        self.fields["new_password2"].label = _("The new password again")


class TokenForm(forms.Form):
    """A new API token. The fields have a prefix, so that their ids differ from those of other forms on a page."""

    prefix = "token"
    name = forms.CharField(label=_("What it is for"), max_length=80)
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=SCOPES, widget=forms.CheckboxSelectMultiple, initial=[ApiToken.Scope.READ.value]
    )
    project = forms.ModelChoiceField(
        label=_("Only in"), queryset=Project.objects.none(), required=False, empty_label=_("all your projects")
    )
    life = forms.TypedChoiceField(label=_("It ends after"), choices=LIFETIMES, coerce=int, initial=90)

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Project.objects.visible_to(owner).order_by("name")

    def values(self) -> dict[str, Any]:
        """Keyword arguments for labeling.accounts.api_tokens.make_token."""
        return {**self.cleaned_data, "life": timedelta(days=self.cleaned_data["life"])}


class NewPersonForm(forms.Form):
    username = forms.CharField(
        label=_("Name to sign in with"),
        max_length=80,
        validators=[RegexValidator(r"^[\w.@+-]+\Z", _("Letters, digits and . @ + - _ only, without spaces."))],
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(label=_("Role"), choices=User.Role.of_members, initial=User.Role.TRAINER)
    email = forms.EmailField(
        label=_("E-mail"),
        required=False,
        help_text=_("An invitation for this address, mailed where mail goes out. Empty: a password is generated."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    by_link = forms.BooleanField(
        label=_("Make a link to hand over, by which they choose a password themselves"), required=False
    )
    projects = forms.ModelMultipleChoiceField(
        label=_("Projects"),
        queryset=Project.objects.current().order_by("name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_username(self) -> str:
        username = str(User.normalize_username(self.cleaned_data["username"]))
        if User.objects.filter(username__iexact=username).exists():
            raise ValidationError(_("There is somebody of this name already."))
        return username


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=User.Role.of_members)
