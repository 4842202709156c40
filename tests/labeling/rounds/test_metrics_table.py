"""An interval stands beside its figure, and nothing is taken for one that is none."""

from labeling.rounds.metrics_table import MetricRow, metric_rows


def test_an_interval_stands_in_the_row_of_its_figure_and_comes_first() -> None:
    metrics = {"steps": 3, "accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8}
    assert metric_rows(metrics) == [
        MetricRow(name="accuracy", value=0.7, low=0.6, high=0.8),
        MetricRow(name="steps", value=3),
    ]


def test_half_an_interval_and_a_bound_without_its_figure_are_metrics_of_their_own() -> None:
    names = [row.name for row in metric_rows({"kl": 1.0, "kl_low": 0.5, "loss_low": 0.1, "loss_high": 0.2})]
    assert names == ["kl", "kl_low", "loss_high", "loss_low"]
