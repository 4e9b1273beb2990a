"""The residuals and distances of a report as a page of tables."""

from typing import Any


def table(report: dict[str, Any]) -> str:
    """Markdown: per scheme, kind of x* and layer."""
    lines = [
        f"# Back-projection of {report['run']['path']}, seed {report['run']['seed']}",
        "",
        f"{report['num_examples']} test examples of {report['run']['data']}, "
        f"{report['method']}, {report['num_steps']} steps; median (5 to 95 %) over "
        f"examples. {report['device']}, JAX {report['versions']['jax']}.",
        "",
        "| noise | x* | layer | residual at x | at x* | distance of x* from x | "
        "classified as x |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for scheme, kinds in report["measured"].items():
        for kind, found in kinds.items():
            for i, (before, after) in enumerate(
                zip(found["residual_before"], found["residual_after"], strict=True)
            ):
                own = i if kind == "per_layer" else 0
                first = kind == "per_layer" or i == 0
                share = found["agreement"]
                cells = [
                    scheme,
                    "own" if kind == "per_layer" else "joint",
                    str(i + 1),
                    _show(before),
                    _show(after),
                    _show(found["distance"][own]) if first else "",
                    f"{100 * share[own]:.1f} %" if share and first else "",
                ]
                lines.append(f"| {' | '.join(cells)} |")
    scale = report["class_distances"]
    if scale:
        lines += [
            "",
            "For scale: the distance between two examples of a class is "
            f"{scale['within_class']:.3g} (root mean square), of two classes "
            f"{scale['between_classes']:.3g}.",
        ]
    for what, reason in report["skipped"].items():
        lines += ["", f"Left out: {what}, because {reason}."]
    return "\n".join([*lines, ""])


def _show(values: dict[str, Any]) -> str:
    if not values["n"]:
        return "-"
    p = values["percentiles"]
    return f"{p['50']:.3g} ({p['5']:.2g} to {p['95']:.2g})"
