"""Draws the figure of an experiment from its recorded results and arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from noisejax import evaluators, figures
from noisejax.evaluators import drawing, page, titled
from noisejax.reproduce._folder import Saved
from noisejax.reproduce._measure import DRAWS
from noisejax.reproduce._verdicts import effects
from noisejax.reproduce._words import factor_words, metric_title, row_title, split_layer

ERROR = "test_error_percent"


def draw(saved: Saved) -> Figure | None:
    """Draw an experiment; return None if it has neither a number nor an array."""
    figure = FIGURES.get(saved.experiment.name, beside_paper)(saved)
    return beside_paper(saved) if figure is None else figure


def beside_paper(saved: Saved, figure: Any = None) -> Figure | None:
    """Draw the paper's numbers and ours, one panel per metric, layers on one axis."""
    panels: dict[str, dict[str, dict[str, Any]]] = {}
    for metric in sorted(saved.experiment.metrics, key=_layer_order):
        title, layer = split_layer(metric)
        for row in saved.rows:
            values = saved.numbers(row, metric)
            if not values:
                continue
            label = row_title(row)
            if layer:
                label = layer if len(saved.rows) == 1 else f"{layer}: {label}"
            error = np.std(values, ddof=1) / np.sqrt(len(values)) if values[1:] else 0.0
            panel = panels.setdefault(title, {"paper": {}, "ours": {}})
            panel["ours"][label] = (float(np.mean(values)), float(error))
            printed = row.printed.get(metric)
            if printed is not None and not isinstance(printed.value, str):
                panel["paper"][label] = (printed.value, printed.deviation or 0.0)
    if not panels:
        return None
    shown = {t: {k: v for k, v in p.items() if v} for t, p in panels.items()}
    return figures.estimates(shown, figure=figure)


def _layer_order(metric: str) -> str:
    """Return a sort key: layer_1, layer_2, ..., last_layer. Others keep their order."""
    layer = metric.rpartition("/")[2] if split_layer(metric)[1] else ""
    return layer.replace("last", "~")


PANELS = {
    "input": "noise on the input",
    "hidden": "noise on hidden layers",
    "random": "random dropout up to the level",
    "random_per_batch": "random dropout, a level per batch",
}


def errors(saved: Saved) -> Figure | None:
    """Draw the test error against the noise level, the network, or the dropout rate.

    These are figures 6 and 4 of Bouthillier et al. (2015), and figure 2 of Noh et al.
    (2017).
    """
    panels: dict[str, dict[str, dict[str, Any]]] = {}
    options: dict[str, Any] = {}
    for row in saved.rows:
        f, values = row.factors, saved.numbers(row, ERROR)
        title = factor_words(f["data"])
        if "level" in f:
            title = f"{title}, {PANELS[f['panel']]}"
            label, x = f"{f['network']} units", f["level"]
            options = {"xlabel": "Noise level", "sharey": True}
        elif "network" in f:
            label, x = factor_words(f["method"]), f["network"]
            options = {"xlabel": "Units of the hidden layers"}
        else:
            extra = "".join(f", {f[k]}" for k in ("strategy", "weighting") if k in f)
            label, x = f"S = {f['samples']}{extra}", f["rate"]
            options = {"xlabel": "Dropout rate"}
        if values:
            panels.setdefault(title, {}).setdefault(label, {})[x] = values
    return figures.errors(panels, **options) if panels else None


def design_effects(saved: Saved) -> Figure | None:
    """Draw main effects and interactions of a crossed design, with standard errors."""
    experiment, metric = saved.experiment, saved.experiment.metrics[0]
    found = effects(experiment.rows, experiment.design, saved.results, metric)
    panels: dict[str, dict[str, Any]] = {}
    for name, e in found.items():
        kind = "Interaction" if " x " in name else "Main effect"
        title = f"{kind}: {metric_title(metric).lower()}, points"
        panel = panels.setdefault(title, {"ours": {}})
        panel["ours"][name] = (e.value, e.standard_error)
    return figures.estimates(panels, zero=True) if panels else None


def dropped_share(saved: Saved) -> Figure | None:
    """Draw the share of dropped units, exact and sampled (Bouthillier 2015, fig. 1)."""
    panels: dict[str, dict[str, dict[str, Any]]] = {}
    for row in saved.rows:
        for arrays in saved.arrays(row):
            title = f"p = 0.5, {row.factors['units']:,} units"
            panel = panels.setdefault(title, {"law": {}, "counts": {}})
            for name, by_label in panel.items():
                by_label[factor_words(row.factors["scheme"])] = arrays[name]
    drawings = [
        drawing(
            figures.dropped_share, panel["law"], counts=panel["counts"], title=title
        )
        for title, panel in panels.items()
    ]
    return page(drawings) if drawings else None


def gaaf_functions(saved: Saved) -> Figure:
    """Draw g(x), and shape functions next to slopes (Hahn, figures 4 and 5)."""
    panels = {}
    for row in saved.rows:
        for arrays in saved.arrays(row):
            if "shape" in arrays:
                title = {"tanh_shape": "tanh", "relu_shape": "ReLU"}[row.name]
                panels[title] = {
                    "shape s(x)": (arrays["x"], arrays["shape"]),
                    "slope of the activation": (arrays["x"], arrays["slope"]),
                }
    drawings = [drawing(figures.acceleration)]
    return page(drawings + ([drawing(figures.shapes, panels)] if panels else []))


def activation_curves(saved: Saved) -> Figure | None:
    """Draw the activation functions of table 1 of Ba et al. (2014)."""
    panels = {}
    for row in saved.rows:
        for arrays in saved.arrays(row):
            near = np.abs(arrays["z"]) <= 5
            curve = (arrays["z"][near], arrays["value"][near])
            panels[row_title(row)] = {"Activation": curve}
    return figures.shapes(panels) if panels else None


def correlations(saved: Saved) -> Figure | None:
    """Draw the densities of Pearson's coefficient of each layer (Hahn, figure 1)."""
    histograms = {
        label: {name: layer["histogram"] for name, layer in titled(layers).items()}
        for label, layers in saved.networks.items()
    }
    return figures.correlations(histograms) if histograms else None


def slopes(saved: Saved) -> Figure | None:
    """Draw slopes with and without noise, as `diagnose` does (Hahn, figure 2)."""
    networks = {
        label: {"layers": layers, "num_draws": DRAWS}
        for label, layers in saved.networks.items()
    }
    drawings = evaluators.MEASUREMENTS["slope_under_noise"].draw(networks)
    return page(drawings, columns=3) if drawings else None


def net_values(saved: Saved) -> Figure | None:
    """Draw the distributions of pre-activations of each layer (Hahn, figs. 3 and 6)."""
    networks = {}
    for row in saved.rows:
        layers = saved.layers(row)
        for name, layer in layers.items():
            shares = saved.numbers(row, f"share_saturated/{name}")
            layer["saturation"] = np.mean(shares)
        networks[row_title(row)] = titled(layers)
    return figures.net_values(networks) if any(networks.values()) else None


def shifts(saved: Saved) -> Figure | None:
    """Draw the shifts of the first seed against mean activities (Ba, figure 2)."""
    drawings = []
    for label, by_layer in saved.networks.items():
        layers = {
            f"{label}: {name.lower()}": (v["mean"], v["shift"])
            for name, v in titled(by_layer).items()
        }
        figure = (figures.shifts_against_activity, layers)
        drawings.append(drawing(*figure, panels=len(layers)))
    return page(drawings, columns=1) if drawings else None


def curves_and_images(saved: Saved) -> Figure | None:
    """Draw errors by epoch, the mean input and the learned shifts (Ba, figure 1)."""
    curves, images = {}, None
    for row in saved.rows:
        arrays = saved.arrays(row)
        inverted = row.factors["encoding"] == "inverted"
        main = row.factors["method"] in ("dropout", "invariant", "no_dropout")
        if arrays and main and inverted and "activation" not in row.factors:
            name = factor_words(row.factors["method"])
            curves[name] = {"test": _aligned([a["curve/test"] for a in arrays])}
        if arrays and "shift_image" in arrays[0] and (inverted or images is None):
            images = [arrays[0][name] for name in ("mean_image", "shift_image")]
    drawings = [drawing(lambda figure: beside_paper(saved, figure), panels=4)]
    if curves:
        title = "Inverted images: test error by epoch"
        drawings.append(drawing(figures.training_curves, curves, title=title))
    if images is not None:
        drawings.append(drawing(figures.shift_images, *images))
    return page(drawings, columns=1) if drawings[1:] else None


def _aligned(curves: list[np.ndarray]) -> np.ndarray:
    """Stack curves of different lengths, padded with NaN."""
    longest = max(len(curve) for curve in curves)
    return np.stack(
        [np.pad(c, (0, longest - len(c)), constant_values=np.nan) for c in curves]
    )


def pictures(saved: Saved) -> Figure | None:
    """Draw inputs and their back-projections (Bouthillier 2015, figures 2 and 5)."""
    drawings = []
    for row in saved.rows:
        for arrays in saved.arrays(row)[:1]:
            shares = arrays["dropped"].mean(axis=0)
            titles = ["x", *(f"{100 * share:.0f} %" for share in shares)]
            figure = drawing(
                *(figures.back_projections, arrays["originals"], arrays["projected"]),
                titles=titles,
                title=f"{row_title(row)}: x, and x* by share of active units dropped",
            )
            drawings.append(figure._replace(height_cm=6.4))
    return page(drawings, columns=1) if drawings else None


def shut_off(saved: Saved) -> Figure | None:
    """Draw back-projections with one hidden unit off (Bouthillier 2015, figure 3)."""
    for row in saved.rows:
        for arrays in saved.arrays(row)[:1]:
            names = [f"Unit {unit}" for unit in arrays["units"]]
            images = (arrays[name] for name in ("original", "projected", "filters"))
            return figures.units_shut_off(*images, names=names)
    return None


FIGURES: Mapping[str, Callable[[Saved], Figure | None]] = {
    "bouthillier2015_figure1": dropped_share,
    "bouthillier2015_figure2": pictures,
    "bouthillier2015_figure3": shut_off,
    "bouthillier2015_figure4": errors,
    "bouthillier2015_figure5": pictures,
    "bouthillier2015_figure6": errors,
    "hahn2018_figure1": correlations,
    "hahn2018_figure2": slopes,
    "hahn2018_figure3": net_values,
    "hahn2018_figure4": gaaf_functions,
    "noh2017_figure2": errors,
    "ba2014_table1": activation_curves,
    "ba2014_table2": curves_and_images,
    "ba2014_figure2": shifts,
    "factorial": design_effects,
    "vit_factorial": design_effects,
}
"""Experiment -> function that draws it. The default is `beside_paper`."""
