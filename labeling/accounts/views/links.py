"""The pages of links that open an account once, and asking for one at the door where mail goes out."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from labeling.accounts import guessing, links
from labeling.accounts.devices import know_device
from labeling.accounts.forms import ChosenPasswordForm, ForgottenForm
from labeling.accounts.guessing import SignInRefused
from labeling.accounts.users import AccountError
from labeling.jobs import dispatch
from labeling.models import AccountLink
from labeling.web import access
from records.names import MAIL_LINK


@access.public
@never_cache
@require_http_methods(["GET", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link to a new password. The answer is the same whether somebody has the name or not."""
    if not links.mails_go_out():
        raise Http404
    form = ForgottenForm(request.POST or None)
    context = {"form": form}
    if request.method == "GET" or not form.is_valid():
        status = 200 if request.method == "GET" else 422
        return render(request, "labeling/accounts/forgotten.html", context, status=status)
    try:
        guessing.count_question(request.META.get("REMOTE_ADDR", ""))
    except SignInRefused as refused:
        return render(request, "labeling/accounts/forgotten.html", context | {"problem": refused}, status=429)
    # A worker looks who that is: mail takes time, and how long the answer took would say whether there is somebody.
    url = url_of(request, links.PLACEHOLDER)
    if not dispatch.send_task(MAIL_LINK, name=form.cleaned_data["name"], url=url):
        problem = _("That could not be passed on just now. Please try again in a few minutes.")
        return render(request, "labeling/accounts/forgotten.html", context | {"problem": problem}, status=503)
    return render(request, "labeling/accounts/forgotten.html", {"is_sent": True})


@access.public
@never_cache
@sensitive_post_parameters()
@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
def account_link(request: HttpRequest, secret: str) -> HttpResponse:
    """The page that a link opens; only its button uses the link."""
    link = links.find_link(secret)
    if link is None:
        sentence = _("This link was used already, or is too old. Ask for another.")
        return render(request, "labeling/accounts/refused.html", {"sentence": sentence}, status=410)
    for_address = link.purpose == AccountLink.Purpose.ADDRESS
    form = None if for_address else ChosenPasswordForm(link.user, request.POST or None)
    if request.method == "GET" or (form is not None and not form.is_valid()):
        context = {"link": link, "form": form, "provider": settings.OIDC_NAME if settings.OIDC_ISSUER else ""}
        status = 200 if request.method == "GET" else 422
        return render(request, "labeling/accounts/account_link.html", context, status=status)
    try:
        if form is None:
            links.use_for_address(link)
            messages.success(request, _("Thank you: your address is known to be yours."))
            return redirect("account")
        links.use_for_password(link, password=form.cleaned_data["new_password1"])
    except AccountError as error:
        return render(request, "labeling/accounts/refused.html", {"sentence": str(error)}, status=410)
    know_device(request, name=link.user.username)
    messages.success(request, _("Your password is set. Sign in with it now."))
    return redirect("sign_in")


@access.signed_in
@require_POST
def prove_address(request: HttpRequest) -> HttpResponse:
    """Send a link to the address of one's own account, so that it may mend a forgotten password."""
    user = access.person(request)
    if not links.mails_go_out() or not user.email:
        raise Http404
    link, secret = links.make_link(user, purpose=AccountLink.Purpose.ADDRESS, by=user, email=user.email)
    links.send_link(link, url=url_of(request, secret))
    messages.success(request, _("A link is on its way to %(email)s.") % {"email": user.email})
    return redirect("account")


def url_of(request: HttpRequest, secret: str) -> str:
    return request.build_absolute_uri(reverse("account_link", args=(secret,)))
