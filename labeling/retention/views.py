"""Erasing a person: what it will do, and doing it. For admins who have lately proven who they are."""

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from labeling.accounts.users import AccountError
from labeling.models import PersonErasure, User
from labeling.retention import audit, people
from labeling.web import access
from labeling.web.proof import recently_proven


class EraseForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Their name, to confirm"), max_length=80)

    def __init__(self, *args: object, person: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.person = person

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if name != self.person.username:
            raise forms.ValidationError(_("Write “%(name)s”, exactly so.") % {"name": self.person.username})
        return name


@access.role_required(User.Role.ADMIN)
@recently_proven
@require_http_methods(["GET", "POST"])
def erase_person(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    person = get_object_or_404(User.objects.exclude(role=User.Role.VISITOR), pk=user_id)
    form = EraseForm(request.POST or None, person=person)
    if request.method == "GET" or not form.is_valid():
        return _page(request, person, form)
    try:
        people.erase_person(person, by=access.person(request))
    except AccountError as error:
        form.add_error("name", str(error))
        return _page(request, person, form)
    messages.success(request, _("Erased. What is left of it is done within the next minutes."))
    return redirect("erase_person", user_id)


def _page(request: HttpRequest, person: User, form: EraseForm) -> HttpResponse:
    erasure = PersonErasure.objects.filter(person=person).select_related("by").first()
    context = {
        "section": "people",
        "person": person,
        "form": form,
        "erasure": erasure,
        "plan": people.plan_of(person) if erasure is None else [],
        "num_quoting": audit.num_quoting(person),
        "mends_audit": audit.is_owner(),
    }
    return render(request, "labeling/retention/erase_person.html", context, status=422 if form.errors else 200)
