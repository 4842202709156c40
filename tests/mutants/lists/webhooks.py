"""Webhooks: who is told, once and signed, and never a machine of our own network."""

from collections.abc import Callable

from tests.mutants.mutant import Mutant


def _of(file: str, *tests: str) -> Callable[..., Mutant]:
    def planted(fault: str, before: str, after: str) -> Mutant:
        return Mutant(f"labeling/{file}", fault, ((before, after),), tuple(f"tests/labeling/{test}" for test in tests))

    return planted


def _unnoted(planted: Callable[..., Mutant], fault: str, verb: str) -> Mutant:
    return planted(fault, f'AuditEvent.note("{verb}"', f'(lambda *_, **__: None)("{verb}"')


_connecting = _of(
    "webhooks/outbound_http.py",
    "webhooks/test_outbound_http.py::test_it_connects_to_the_address_that_was_judged_whatever_the_name_leads_to_then",
)
_judging = _of(
    "webhooks/outbound_http.py", "webhooks/test_deliveries.py::test_a_name_is_judged_by_every_address_it_has"
)
_deliveries = _of("webhooks/deliveries.py", "webhooks/test_deliveries.py")
_deliveries_races = _of("webhooks/deliveries.py", "webhooks/test_races.py")

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
    _unnoted(_deliveries, "a retry leaves no audit event", "try webhook again"),
    _unnoted(_deliveries, "adding leaves no audit event", "add webhook"),
    _deliveries(
        "deliveries that wait are forgotten",
        "filter(finished_at__lt=Now() - KEPT)",
        "filter(created_at__lt=Now() - KEPT)",
    ),
]
