"""Figures of what was measured or computed: densities, shifts, pictures, functions."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from noisejax import figures
from noisejax.reproduction._error_figures import Part, beside_paper
from noisejax.reproduction._saved import Saved, by_layer, name_of

Drawing = Callable[[Part], object]
"""Into a part of a page."""


def dropped_share(saved: Saved) -> Figure:
    """The law of the dropped share, exact and drawn (Bouthillier 2015, figure 1)."""
    laws: dict[int, dict] = {}
    counts: dict[int, dict] = {}
    for row in saved.rows:
        [arrays] = saved.arrays(row)
        units, label = row.factors["units"], name_of(row, "scheme")
        laws.setdefault(units, {})[label] = arrays["law"]
        counts.setdefault(units, {})[label] = arrays["counts"]

    def of(units: int) -> Drawing:
        return lambda part: figures.dropped_share(
            laws[units],
            counts=counts[units],
            title=f"p = 0.5, {units} units",
            figure=part,
        )

    return figures.page([of(units) for units in laws])


def gaaf_functions(saved: Saved) -> Figure:
    """g(x), and the shapes with their activations' slopes (Hahn, figures 4 and 5)."""
    panels = {}
    for row in saved.rows:
        if row.name == "acceleration":
            continue
        [arrays] = saved.arrays(row)
        panels[row.name.removesuffix("_shape")] = {
            "s(x)": (arrays["x"], arrays["shape"]),
            "slope of φ": (arrays["x"], arrays["slope"]),
        }
    drawings: list[Drawing] = [lambda part: figures.acceleration(figure=part)]
    if panels:
        drawings.append(lambda part: figures.shapes(panels, figure=part))
    return figures.page(drawings)


def activation_curves(saved: Saved) -> Figure:
    """The activations, whose zeros table 1 of Ba et al. compares."""
    panels = {}
    for row in saved.rows:
        [arrays] = saved.arrays(row)
        if "z" in arrays:
            near = np.abs(arrays["z"]) <= 5
            panels[row.label] = {"φ(z)": (arrays["z"][near], arrays["value"][near])}
    return figures.shapes(panels) if panels else beside_paper(saved)


def correlations(saved: Saved) -> Figure:
    """Densities of Pearson's coefficient, layer by layer (Hahn, figure 1)."""
    return figures.correlations(
        {name_of(row): saved.summed(row, "histogram") for row in saved.rows}
    )


def slopes(saved: Saved) -> Figure:
    """Slopes with and without noise by net value (Hahn, figure 2), the first seed."""
    drawings: list[Drawing] = []
    for row in saved.rows:
        arrays = saved.arrays(row)[0]
        for layer in by_layer(arrays, "centers"):
            drawings.append(_slopes(arrays, layer, f"{name_of(row)}, {layer}"))
    return figures.page(drawings, columns=3)


def _slopes(arrays: dict[str, np.ndarray], layer: str, title: str) -> Drawing:
    return lambda part: figures.slopes(
        arrays[f"centers/{layer}"],
        arrays[f"clean/{layer}"],
        arrays[f"noisy/{layer}"],
        counts=arrays[f"counts/{layer}"],
        title=title,
        figure=part,
    )


def net_values(saved: Saved) -> Figure:
    """Distributions of net values, layer by layer (Hahn, figures 3 and 6)."""
    histograms: dict[str, dict] = {}
    for row in saved.rows:
        first = saved.arrays(row)[0]
        fields = {f: saved.summed(row, f) for f in ("counts", "below", "above")}
        histograms[name_of(row)] = {
            layer: {
                **{field: values[layer] for field, values in fields.items()},
                "low": first[f"low/{layer}"],
                "high": first[f"high/{layer}"],
                "saturation": np.mean(saved.numbers(row, f"share_saturated/{layer}")),
            }
            for layer in fields["counts"]
        }
    return figures.net_values(histograms)


def shifts(saved: Saved) -> Figure:
    """Shifts against mean activities, place by place (Ba, figure 2), the first seed."""
    drawings: list[Drawing] = []
    for row in saved.rows:
        arrays = saved.arrays(row)[0]
        shift = by_layer(arrays, "shift")
        layers = {
            f"{row.name}\n{place}": (mean.ravel(), shift[place].ravel())
            for place, mean in by_layer(arrays, "mean").items()
        }
        drawings.append(_shifts(layers))
    return figures.page(drawings, columns=1, row_heights_cm=9.0)


def _shifts(layers: dict[str, tuple[np.ndarray, np.ndarray]]) -> Drawing:
    return lambda part: figures.shifts_against_activity(layers, figure=part)


def curves_and_images(saved: Saved) -> Figure:
    """Errors by epoch, the mean input and the learned shifts (Ba, figure 1)."""
    curves, images = {}, None
    for row in saved.rows:
        found = saved.arrays(row)
        encoding = row.factors["encoding"]
        main = {"dropout", "invariant", "no_dropout"} >= {row.factors["method"]}
        if main and "activation" not in row.factors and encoding == "inverted":
            curves[name_of(row)] = {
                "test": _aligned([arrays["curve/test"] for arrays in found])
            }
        wanted = encoding == "inverted" or images is None
        if wanted and "shift_image" in found[0]:
            images = found[0]
    drawings: list[Drawing] = [lambda part: beside_paper(saved, part)]
    if curves:
        drawings.append(lambda part: figures.training_curves(curves, figure=part))
    if images is not None:
        drawings.append(
            lambda part: figures.shift_images(
                images["mean_image"], images["shift_image"], figure=part
            )
        )
    heights = [10.0, *(6.5 for _ in drawings[1:])]
    return figures.page(drawings, columns=1, row_heights_cm=heights)


def _aligned(curves: list[np.ndarray]) -> np.ndarray:
    """Seeds that stopped early are filled up with NaN."""
    longest = max(len(curve) for curve in curves)
    return np.stack(
        [np.pad(c, (0, longest - len(c)), constant_values=np.nan) for c in curves]
    )


def pictures(saved: Saved) -> Figure:
    """Inputs beside their back-projections (Bouthillier 2015, figures 2 and 5)."""
    drawings: list[Drawing] = []
    for row in saved.rows:
        drawings.append(_pictures(saved.arrays(row)[0]))
    return figures.page(drawings, columns=1, row_heights_cm=5.6)


def _pictures(arrays: dict[str, np.ndarray]) -> Drawing:
    shares = arrays["dropped"].mean(axis=0)
    titles = ["x", *(f"{100 * share:.0f} %" for share in shares)]
    return lambda part: figures.back_projections(
        arrays["originals"], arrays["projected"], titles=titles, figure=part
    )


def shut_off(saved: Saved) -> Figure:
    """What shutting off a unit does to the input (Bouthillier 2015, figure 3)."""
    arrays = saved.arrays(saved.rows[0])[0]
    return figures.units_shut_off(
        arrays["original"],
        arrays["projected"],
        arrays["filters"],
        names=[f"unit {unit}" for unit in arrays["units"]],
    )


MEASURED_FIGURES: dict[str, Callable[[Saved], Figure]] = {
    "bouthillier2015_figure1": dropped_share,
    "bouthillier2015_figure2": pictures,
    "bouthillier2015_figure3": shut_off,
    "bouthillier2015_figure5": pictures,
    "hahn2018_figure1": correlations,
    "hahn2018_figure2": slopes,
    "hahn2018_figure3": net_values,
    "hahn2018_figure4": gaaf_functions,
    "ba2014_table1": activation_curves,
    "ba2014_table2": curves_and_images,
    "ba2014_figure2": shifts,
}
"""Experiment -> how its figure is drawn."""
