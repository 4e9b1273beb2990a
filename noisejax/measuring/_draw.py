"""The page of figures of a diagnose.json: from what it holds, and nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from noisejax import figures

MAX_LAYERS = 4
"""Panels per figure; of deeper networks the first, the last, and some between."""

SCHEMES = {"Dropout": "dropout", "RandomDropout": "random dropout"}
"""Class -> the name that has the scheme's colour."""

Found = Mapping[str, Any]
Drawing = Callable[[Any], object]


def draw_page(report: Found) -> Figure:
    """Draws all measurements that a report holds.

    Args:
      report: as diagnose.json has it.

    Returns:
      The page: its title names the run, the device and the versions.
    """
    drawings: list[tuple[float, Drawing]] = []
    for name, make in MAKERS.items():
        found = report["measurements"].get(name)
        if found is not None:
            drawings += make(found, report)
    # Figures of like height stand beside each other: little paper stays empty.
    drawings.sort(key=lambda drawing: drawing[0])
    heights = [height for height, _ in drawings]
    rows = [max(heights[i : i + 2]) for i in range(0, len(heights), 2)]
    return figures.page(
        [draw for _, draw in drawings], title=_title(report), row_heights_cm=rows
    )


def _title(report: Found) -> str:
    run, versions = report["run"], report["versions"]
    error = report["measurements"]["error"]
    value = next(error[key] for key in error if key.endswith("percent"))
    return (
        f"{run['name']}, seed {run['seed']}: test error {value:.2f} % "
        f"(n = {error['n']}); {report['device']}, noisejax {versions['noisejax']}, "
        f"jax {versions['jax']}"
    )


def _height(panels: int) -> float:
    return 5.5 if panels <= 2 else 9.5


def _some(layers: Found) -> dict[str, Any]:
    """At most so many layers as have room."""
    names = list(layers)
    if len(names) > MAX_LAYERS:
        chosen = np.linspace(0, len(names) - 1, MAX_LAYERS).round().astype(int)
        names = [names[i] for i in chosen]
    return {name: layers[name] for name in names}


def _net_variance(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    layers, draws, n = _some(found["layers"]), found["num_draws"], found["n"]
    return [
        (
            5.5,
            lambda part: figures.net_variance(
                layers, num_draws=draws, num_examples=n, figure=part
            ),
        )
    ]


def _gradients(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    weights = {label: _some(by_layer) for label, by_layer in found["weights"].items()}
    return [
        (
            5.5,
            lambda part: figures.gradient_information(
                weights, num_examples=found["n"], figure=part
            ),
        )
    ]


def _correlations(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    layers = {k: v for k, v in _some(found["layers"]).items() if v["num_pairs"]}
    if not layers:
        return []
    name, height = report["run"]["name"], _height(len(layers))
    histograms = {name: {k: v["histogram"] for k, v in layers.items()}}
    above = {name: {k: v["above"] for k, v in layers.items()}}
    thresholds = next(iter(layers.values()))["thresholds"]
    return [
        (height, lambda part: figures.correlations(histograms, figure=part)),
        (
            height,
            lambda part: figures.correlation_counts(above, thresholds, figure=part),
        ),
    ]


def _net_values(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    layers = _some(found["layers"])
    histograms = {report["run"]["name"]: layers}
    return [
        (
            _height(len(layers)),
            lambda part: figures.net_values(histograms, figure=part),
        )
    ]


def _slopes(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    def of_layer(name: str, s: Found) -> Drawing:
        title = f"{name} (n = {sum(s['counts']):,}, {found['num_draws']} draws)"
        clean, noisy = (np.array(s[k], np.float64) for k in ("clean", "noisy"))
        return lambda part: figures.slopes(
            *(s["centers"], clean, noisy),
            counts=s["counts"],
            title=title,
            figure=part,
        )

    layers = _some(found["layers"])
    return [(5.5, of_layer(name, slopes)) for name, slopes in layers.items()]


def _dropped_share(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    def of_place(place: str, share: Found) -> Drawing:
        label = SCHEMES[share["scheme"]]
        title = f"{place}, rate {share['rate']:g}"
        return lambda part: figures.dropped_share(
            {label: np.array(share["law"])},
            counts={label: np.array(share["counts"])},
            title=title,
            figure=part,
        )

    places = _some(found["layers"])
    return [(5.5, of_place(name, share)) for name, share in places.items()]


def _shifts(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    layers = {
        place: (np.ravel(s["mean_activity"]), np.ravel(s["shift"]))
        for place, s in _some(found["layers"]).items()
    }
    drawings: list[tuple[float, Drawing]] = [
        (
            _height(len(layers)),
            lambda part: figures.shifts_against_activity(layers, figure=part),
        )
    ]
    height, width = (*report["run"]["shape"], 0, 0)[:2]
    if "input" in layers and len(layers["input"][0]) == height * width > 0:
        mean, beta = (a.reshape(height, width) for a in layers["input"])
        drawings.append(
            (5.5, lambda part: figures.shift_images(mean, beta, figure=part))
        )
    return drawings


def _input_shift(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    return [
        (
            5.5,
            lambda part: figures.input_shift(
                *(found["phi"], found["variance"]),
                best=found["best"],
                ylabel=f"net variance, {found['layer']}",
                figure=part,
            ),
        )
    ]


def _bound(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    return [
        (
            5.5,
            lambda part: figures.bound_curve(
                *(found["num_samples"], found["bound"]),
                standard_error=found["standard_error"],
                effective_samples=found["effective_samples"],
                num_examples=found["n"],
                figure=part,
            ),
        )
    ]


def _sharpness(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    values = {report["run"]["name"]: found["largest"]}
    return [
        (
            5.5,
            lambda part: figures.sharpness(
                values, num_examples=found["n"], figure=part
            ),
        )
    ]


def _back_projection(found: Found, report: Found) -> list[tuple[float, Drawing]]:
    return [
        (
            5.5,
            lambda part: figures.residuals(
                *(found["residual_before"], found["residual_after"]), figure=part
            ),
        )
    ]


MAKERS: dict[str, Callable[[Found, Found], list[tuple[float, Drawing]]]] = {
    "net_variance": _net_variance,
    "gradient_information": _gradients,
    "bound": _bound,
    "slope_under_noise": _slopes,
    "dropped_share": _dropped_share,
    "input_shift": _input_shift,
    "sharpness": _sharpness,
    "back_projection": _back_projection,
    "shifts": _shifts,
    "net_values": _net_values,
    "correlations": _correlations,
}
"""Measurement -> its figures, each with its height in cm."""
