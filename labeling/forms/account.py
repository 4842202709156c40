"""What a person may say about themselves."""

from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from labeling.models import User

THEMES = (("", _("Colours of this device")), ("light", _("Light")), ("dark", _("Dark")))


def _time_zones() -> list[tuple[str, str]]:
    """Zones of places, with UTC first; the old aliases (EST5EDT, Etc/…) only confuse."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in places)]


class AccountForm(forms.ModelForm[User]):
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=_time_zones, help_text=_("Times are shown in it."))
    language = forms.ChoiceField(label=_("Language of Parley"), choices=lambda: settings.LANGUAGES)
    theme = forms.ChoiceField(label=_("Colours"), choices=THEMES, required=False)

    class Meta:
        model = User
        fields = ("display_name", "email", "time_zone", "language")
        labels = {"display_name": _("Name shown to others"), "email": _("E-mail")}  # noqa: RUF012
        help_texts = {"email": _("Optional. Parley never writes to it by itself.")}  # noqa: RUF012
        widgets = {  # noqa: RUF012
            "display_name": forms.TextInput(attrs={"autocomplete": "name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.initial.setdefault("theme", self.instance.preferences.get("theme", ""))


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(choices=THEMES, required=False)


class PasswordForm(PasswordChangeForm):
    """A new password of one's own. The rules are said in one line, and the page keeps its focus."""

    def __init__(self, user: User, *args: object, **kwargs: object) -> None:
        super().__init__(user, *args, **kwargs)
        del self.fields["old_password"].widget.attrs["autofocus"]
        self.fields["new_password1"].help_text = _("At least 12 characters, and nothing that others would guess.")
        self.fields["new_password2"].label = _("The new password again")
