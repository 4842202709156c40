"""An interval stands beside its figure, nothing is taken for one that is none, and each number says whose it is."""

from labeling.rounds.metrics_table import metric_rows
from labeling.rounds.training_curves import SHOWN
from records.metrics import MEASURED


def test_an_interval_stands_in_the_row_of_its_figure_and_what_was_held_out_comes_first() -> None:
    metrics = {"steps": 3, "log_loss": 0.6, "accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8}
    rows = metric_rows(metrics, "reward_model")
    assert [(row.name, row.value, row.low, row.high) for row in rows] == [
        ("accuracy", 0.7, 0.6, 0.8),
        ("log_loss", 0.6, None, None),
        ("steps", 3, None, None),
    ]
    assert [row.data for row in rows] == ["Held-out data", "Held-out data", "The run itself"]


def test_half_an_interval_and_a_bound_without_its_figure_are_metrics_of_their_own() -> None:
    rows = metric_rows({"kl": 1.0, "kl_low": 0.5, "loss_low": 0.1, "loss_high": 0.2}, "ppo")
    assert [row.name for row in rows] == ["kl", "kl_low", "loss_high", "loss_low"]
    assert [row.data for row in rows] == ["Training data", "", "", ""]


def test_a_name_says_which_data_it_is_of_while_it_runs_and_when_it_is_done() -> None:
    """A reward model's accuracy is its batches' while it learns, and the validation split's once it is made."""
    metrics = {"accuracy": 0.9, "lr": 0.1}
    assert [row.data for row in metric_rows(metrics, "reward_model", results=())] == ["Training data", "The run itself"]
    (accuracy, rate) = metric_rows(metrics, "reward_model", results={"accuracy"})
    assert (accuracy.data, rate.data) == ("Held-out data", "The run itself")


def test_a_model_of_no_training_shows_its_numbers_as_they_are() -> None:
    (row,) = metric_rows({"loss": 1.0}, None)
    assert (row.label, row.data, row.sentence) == ("loss", "", "")


def test_every_curve_that_is_drawn_is_of_a_metric_in_words() -> None:
    for kind, names in SHOWN.items():
        assert set(names) <= set(MEASURED[kind.value])
