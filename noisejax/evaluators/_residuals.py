"""Tables of the residuals and distances in a projection.json."""

from collections.abc import Mapping
from typing import Any

KINDS = {"joint": "one for all layers", "per_layer": "one per layer"}

HEAD = (
    *("noise", "x*", "layer", "residual at x", "residual at x*"),
    *("distance of x* from x", "classified as x"),
)


def format_residuals(report: Mapping[str, Any]) -> str:
    """Formats a report as Markdown: a row per scheme, kind of x* and layer."""
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
