"""The study of over-optimisation as one HTML file: charts of proxy and gold, fitted forms, tables; nothing fetched."""

from collections.abc import Mapping
from typing import Any

from charts import Point, Series, Svg, line_chart
from policy.scaling import FITTED_TO, gain_of
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


def _charts(curve: Mapping[str, Any]) -> list[Svg]:
    """Gains against the distance; for PPO the length as well."""
    points, name = curve["points"], f"{curve['proxy']}, {_METHODS[curve['method']]}"
    furthest = max(point["distance"] for point in points)
    gains = [
        Series(name=kind, points=[Point(point["distance"], point[kind] - points[0][kind]) for point in points])
        for kind in ("proxy", "gold")
    ]
    forms = [
        Series(
            name=f"{kind}, fitted",
            points=[Point(d, gain_of(fit["method"], fit["alpha"], fit["beta"], d)) for d in _steps(furthest)],
            is_reference=True,
        )
        for kind, fit in curve["fits"].items()
        if fit
    ]
    limit = ("held out beyond", FITTED_TO * furthest)
    x_label, y_label = "√KL, √nats", "score gained"
    title = f"{name}: {y_label}"
    drawn = [line_chart([*gains, *forms], title=title, x_label=x_label, y_label=y_label, reference=limit)]
    if curve["method"] == "ppo":
        lengths = Series(name="tokens", points=[Point(point["distance"], point["tokens"]) for point in points])
        drawn.append(line_chart([lengths], title=f"{name}: length", x_label=x_label, y_label="tokens"))
    return drawn


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
