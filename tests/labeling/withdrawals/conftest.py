"""How busy a machine is says nothing of a withdrawal: a page that began it here goes on until it is done."""

import pytest


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling.withdrawals import batches

    monkeypatch.setattr(batches, "PATIENCE", 120.0)
    monkeypatch.setattr(batches, "SWEEP_SECONDS", 120.0)
