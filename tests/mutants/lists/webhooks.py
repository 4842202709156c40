"""Webhooks: who is told, once and signed, and never a machine of our own network."""

from tests.mutants.mutant import platform_planter, unnoted

_connecting = platform_planter(
    "webhooks/outbound_http.py",
    "webhooks/test_outbound_http.py::test_it_connects_to_the_address_that_was_judged_whatever_the_name_leads_to_then",
)
_judging = platform_planter(
    "webhooks/outbound_http.py", "webhooks/test_deliveries.py::test_a_name_is_judged_by_every_address_it_has"
)
_deliveries = platform_planter("webhooks/deliveries.py", "webhooks/test_deliveries.py")
_deliveries_races = platform_planter("webhooks/deliveries.py", "webhooks/test_races.py")

MUTANTS = [
    _connecting(
        "it connects by name, not to the judged address",
        "        *others, last = self._addresses\n",
        "        *others, last = [self.host]\n",
    ),
    _judging("one public address suffices", "not all(map(is_public, found))", "not any(map(is_public, found))"),
    _judging(
        "only the first addresses are judged",
        "not all(map(is_public, found))",
        "not all(map(is_public, found[:_MOST_ADDRESSES]))",
    ),
    _deliveries(
        "a slow attempt overwrites the result of the next",
        "state=State.WAITING, num_attempts=delivery.num_attempts)",
        "state=State.WAITING)",
    ),
    _deliveries(
        "an attempt that ends after the webhook was closed is told as done",
        "filter(id=delivery.id, state=State.WAITING, num_attempts",
        "filter(id=delivery.id, num_attempts",
    ),
    _deliveries_races(
        "a delivery is made twice at once",
        'select_for_update(of=("self",), skip_locked=True).select_related',
        "select_related",
    ),
    _deliveries(
        "a webhook is closed twice", "filter(id=webhook.id, closed_at=None).update(", "filter(id=webhook.id).update("
    ),
    _deliveries("one webhook too many", ".count() >= MOST_PER_PROJECT", ".count() > MOST_PER_PROJECT"),
    _deliveries_races(
        "a retry overtakes the result of an attempt", "missed.select_for_update().order_by", "missed.order_by"
    ),
    unnoted(_deliveries, "a retry leaves no audit event", "try webhook again"),
    unnoted(_deliveries, "adding leaves no audit event", "add webhook"),
    _deliveries(
        "deliveries that wait are forgotten",
        "filter(finished_at__lt=Now() - KEPT)",
        "filter(created_at__lt=Now() - KEPT)",
    ),
]
