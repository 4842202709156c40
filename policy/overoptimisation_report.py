"""The study of over-optimisation as one HTML file: charts of proxy and gold, fitted forms, tables; nothing fetched."""

from collections.abc import Mapping, Sequence
from typing import Any

from policy.scaling import FITTED_TO, gain_of
from rewardmodel.charts import Point, Series, chart
from rewardmodel.page import figures, page, table

_METHODS = {"best_of_n": "best of n", "ppo": "PPO"}


def report_html(study: Mapping[str, Any]) -> str:
    """The whole page."""
    curves = study["curves"]
    parts = [
        "<p>Scores counted from the start, against √KL from it. Solid: the proxy, which picks or trains. Dashed: the "
        "gold preference, which only looks on. Faint: the forms of Gao et al. 2022, d(α − βd) for best of n and "
        "d(α − β log d) for PPO, fitted up to the upright line; the points beyond it were held out. Distances "
        "of the two methods are not comparable with one another (§3.5 there).</p>",
        figures(drawing for curve in curves for drawing in _charts(curve)),
        "<h2>Forms</h2>",
        table(
            [_fit_row(curve, kind) for curve in curves for kind in ("proxy", "gold")],
            head=("curve", "of", "α", "β", "peak at √KL", "error, fitted", "error, held out", "points"),
        ),
        "<h2>Ends</h2>",
        table(
            [_end_row(curve) for curve in curves],
            head=("curve", "√KL", "proxy", "gold", "gold's best", "at √KL", "tokens", "repeated"),
        ),
        "<h2>Settings</h2>",
        table((name, str(value)) for name, value in study["settings"].items()),
    ]
    return page("Over-optimisation", parts)


def _charts(curve: Mapping[str, Any]) -> list[str]:
    """Gains against the distance; for PPO the length as well."""
    points, name = curve["points"], f"{curve['proxy']}, {_METHODS[curve['method']]}"
    series = [
        Series(kind, [Point(point["distance"], point[kind] - points[0][kind]) for point in points])
        for kind in ("proxy", "gold")
    ]
    furthest = max(point["distance"] for point in points)
    forms = [
        Series(
            f"{kind}, fitted",
            [Point(d, gain_of(fit["method"], fit["alpha"], fit["beta"], d)) for d in _steps(furthest)],
            is_ideal=True,
        )
        for kind, fit in curve["fits"].items()
        if fit
    ]
    gains = [point.y for one in series for point in one.points]
    limit = FITTED_TO * furthest
    upright = Series("held out beyond", [Point(limit, min(gains)), Point(limit, max(gains))], is_ideal=True)
    drawn = [_chart(f"{name}: score gained", [*series, *forms, upright], "score gained")]
    if curve["method"] == "ppo":
        lengths = [Point(point["distance"], point["tokens"]) for point in points]
        drawn.append(_chart(f"{name}: length", [Series("tokens", lengths)], "tokens"))
    return drawn


def _chart(title: str, series: Sequence[Series], y_label: str) -> str:
    values = [point.y for one in series for point in one.points]
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 1.0
    legend = 2 * len(series) * room  # below the lowest point, so that no point lies under it
    return chart(title, series, x_label="√KL, √nats", y_label=y_label, y_range=(low - legend, high + room))


def _steps(furthest: float) -> list[float]:
    return [furthest * i / 60 for i in range(61)]


def _fit_row(curve: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    name, fit = f"{curve['proxy']}, {_METHODS[curve['method']]}", curve["fits"][kind]
    if fit is None:
        return (name, kind, *["too few points"], *[""] * 5)
    peak = fit["peak"]
    in_sight = peak is not None and peak <= 2 * curve["points"][-1]["distance"]
    numbers = [_show(fit[field]) for field in ("alpha", "beta", "fitted_error", "held_out_error")]
    numbers.insert(2, _show(peak) if in_sight else "not in sight")
    return (name, kind, *numbers, f"{fit['num_fitted']} + {fit['num_held_out']}")


def _end_row(curve: Mapping[str, Any]) -> tuple[str, ...]:
    end, best = curve["points"][-1], max(curve["points"], key=lambda point: float(point["gold"]))
    numbers = (end["distance"], end["proxy"], end["gold"], best["gold"], best["distance"])
    rest = (end["tokens"], end["repeated_share"])
    return (f"{curve['proxy']}, {_METHODS[curve['method']]}", *map(_show, (*numbers, *rest)))


def _show(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"
