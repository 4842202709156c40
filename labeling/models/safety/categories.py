"""The categories that the bundled filter tells apart, in words. A server's categories go by their own names."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CATEGORIES: dict[str, Promise] = {
    "S": _("sexual"),
    "H": _("hate"),
    "V": _("violence"),
    "HR": _("harassment"),
    "SH": _("self-harm"),
    "S3": _("sexual, of minors"),
    "H2": _("hate that threatens"),
    "V2": _("violence, graphic"),
}
ALWAYS_BLOCKS = "S3"  # whatever a project's rules are: at its warning threshold, on both sides


def category_name(category: str) -> str:
    return str(CATEGORIES.get(category, category.replace("/", ", ")))
