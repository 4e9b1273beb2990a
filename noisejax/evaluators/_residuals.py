"""Measures residuals and distances of back-projections, and tabulates them."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import backprojection, noise, training
from noisejax.evaluators._trained_model import TrainedModel

PERCENTILES = (5, 25, 50, 75, 95)

KINDS = {"joint": "one for all layers", "per_layer": "one per layer"}

HEAD = (
    *("noise", "x*", "layer", "residual at x", "residual at x*"),
    *("distance of x* from x", "classified as x"),
)


def measure_residuals(
    key: noise.Key, model: TrainedModel, x: Array, descent: dict[str, Any]
) -> dict[str, Any]:
    """Measure residuals and distances, for one joint x* and for one x* per layer."""
    outputs = jax.jit(lambda x: model.clean(model.variables, x)[0])
    clean = outputs(x)
    measured = {}
    for name in ("joint", "per_layer"):
        found = training.project_dataset(
            *(model.features, model.variables, x, model.noisy_features),
            key=key,
            per_layer=name == "per_layer",
            **descent,
        )
        stars = found.x_star if name == "per_layer" else found.x_star[None]
        agreement = None
        if model.targets != "inputs":
            agreement = [
                float(backprojection.agreement(clean, outputs(s))) for s in stars
            ]
        measured[name] = {
            "residual_before": [spread(values) for values in found.residual_before],
            "residual_after": [spread(values) for values in found.residual_after],
            "distance": [
                spread(np.asarray(backprojection.distances(x, star))) for star in stars
            ],
            "agreement": agreement,
        }
    return measured


def spread(values: Float[np.ndarray, " n"]) -> dict[str, Any]:
    """Return mean, standard error over examples and percentiles of finite values.

    "infinite", if present, is the number of values that are not finite. A residual is
    infinite if its target is all 0.
    """
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    infinite = values.size - finite.size
    others = {"infinite": infinite} if infinite else {}
    if not finite.size:
        return {"n": 0, **others}
    n = finite.size
    quantiles = np.percentile(finite, PERCENTILES).tolist()
    return {
        "n": n,
        "mean": float(finite.mean()),
        "standard_error": float(finite.std(ddof=1) / np.sqrt(n)) if n > 1 else None,
        "percentiles": dict(zip(map(str, PERCENTILES), quantiles, strict=True)),
        **others,
    }


def class_distances(model: TrainedModel, x: Array, y: Array) -> dict[str, Any] | None:
    """Return distances within and between classes; None if either has no pair."""
    if y.ndim != 1 or model.num_classes < 2:
        return None
    between = np.asarray(
        backprojection.class_distances(x, jnp.asarray(y), num_classes=model.num_classes)
    )
    same, counted = np.eye(model.num_classes, dtype=bool), np.isfinite(between)
    if not (counted & same).any() or not (counted & ~same).any():
        return None
    return {
        "within_class": float(between[counted & same].mean()),
        "between_classes": float(between[counted & ~same].mean()),
    }


def format_residuals(report: Mapping[str, Any]) -> str:
    """Format a report as a Markdown table of schemes, kinds of x* and layers."""
    run = report["run"]
    lines = [
        f"# Back-projection of {run['path']}, seed {run['seed']}",
        "",
        f"{report['num_examples']} test examples of {run['data']}, {report['method']}, "
        f"{report['num_steps']} steps; median (5 to 95 %) over examples. "
        f"{report['device']}, JAX {report['versions']['jax']}.",
        "",
        f"| {' | '.join(HEAD)} |",
        "| --- " * len(HEAD) + "|",
    ]
    infinite = 0
    for scheme, kinds in report["measured"].items():
        for kind, found in kinds.items():
            share = found["agreement"]
            for i, before in enumerate(found["residual_before"]):
                star = i if kind == "per_layer" else 0
                first = kind == "per_layer" or i == 0
                infinite += before.get("infinite", 0)
                cells = [
                    scheme.replace("_", " "),
                    KINDS[kind],
                    f"hidden {i + 1}",
                    _show(before),
                    _show(found["residual_after"][i]),
                    _show(found["distance"][star]) if first else "",
                    f"{100 * share[star]:.1f} %" if share and first else "",
                ]
                lines.append(f"| {' | '.join(cells)} |")
    if infinite:
        lines += [
            "",
            f"Without {infinite} residuals at x that are infinite: their target is all "
            "0 and the activation is not.",
        ]
    scale = report["class_distances"]
    if scale:
        lines += [
            "",
            "For scale: the distance between two examples of a class is "
            f"{scale['within_class']:.3g} (root mean square), of two classes "
            f"{scale['between_classes']:.3g}.",
        ]
    for name, reason in report["skipped"].items():
        lines += ["", f"Not drawn: {name}, because {reason}."]
    for name, error in report.get("failed", {}).items():
        lines += ["", f"Failed: {name}, {error}"]
    return "\n".join([*lines, ""])


def _show(values: Mapping[str, Any]) -> str:
    if not values["n"]:
        return "-"
    p = values["percentiles"]
    return f"{p['50']:.3g} ({p['5']:.2g} to {p['95']:.2g})"
