"""Formats the records of `ahead_of_time` as a page of tables and a figure."""

import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks._aot_targets import REFERENCES, TARGETS

Record = Mapping[str, Any]

COMMAND = "python -m benchmarks.ahead_of_time"

ALONE = "noise alone, forward and backward"
IWSGD = "IWSGD, MLP 784-1024-1024-10, gradient"
MLP_STEP = "step, MLP 784-1024-1024-10"
DEEP = ("step, WRN-28-10, bfloat16", "step, ViT of 6 blocks, bfloat16")
GRADIENT_BYTES = 4 * (785 * 1024 + 1025 * 1024 + 1025 * 10)
"""Bytes of the gradient of the MLP of IWSGD."""

MEGABYTE = 1e6

LABELS = {
    "cpu_8": "8 CPU devices",
    "v5e_4x4": "16 TPU v5e cores",
    "v5e_16x16": "256 TPU v5e cores",
    "h100_1": "one H100",
    "v5e_1": "one TPU v5e core",
}
"""Target -> words of the figure."""


def page(records: Sequence[Record]) -> str:
    """Return the targets, with what was reached, then a table per group."""
    every, records = records, [r for r in records if r["target"] != "here"]
    versions = sorted({record["jax"] for record in records})
    lines = [
        "# Compiled ahead of time for GPUs and TPUs",
        "",
        f"By `{COMMAND}`, JAX {', '.join(versions)}. Nothing was run: these are counts "
        "of the compilers' programs for one device. FLOPs x is FLOPs per example over "
        "those on one device of the same platform. A kernel is an instruction that "
        "starts work of its own; on a TPU also one on scalars, as in the derivation of "
        "keys. A loop's body counts once. CUDA's compiler counts no FLOPs; its "
        "temporary bytes hold 34 MB of cuBLAS's workspace where there is a product.",
        "",
        "| Target | at most | found | reached |",
        "| --- | ---: | --- | --- |",
    ]
    for name, bound, values in verdicts(records):
        if not values:
            continue
        worst = max(values.values())
        shown = ", ".join(f"{k}: {v:.4g}" for k, v in values.items())
        reached = "yes" if worst <= bound else "**no**"
        lines.append(f"| {name} | {bound:g} | {shown} | {reached} |")
    for group, rows in itertools.groupby(
        sorted(records, key=lambda r: r["group"]), key=lambda r: r["group"]
    ):
        lines += [
            "",
            f"## {group}",
            "",
            "| Program | Target | Batch | GFLOP | FLOPs x | temporary MB | kernels "
            "| collectives | compile s |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |",
            *(_row(record, records) for record in rows),
        ]
    return "\n".join([*lines, *_on_device(every), ""])


def _on_device(records: Sequence[Record]) -> Iterator[str]:
    """Yield a table of the programs that ran, beside what was counted for an H100."""
    ran = [r for r in records if r["target"] == "here" and "error" not in r]
    if not ran:
        return
    yield from (
        "",
        f"## On a device: {ran[0]['device']}",
        "",
        f"By `{COMMAND} --targets=here`, JAX {ran[0]['jax']}. Counted: the program "
        "that was compiled for one H100 without having one. Time: the median of seven "
        "rounds of 20 calls in a row; below 0.3 ms it is mostly that of the dispatch.",
        "",
        "| Group | Program | Batch | kernels counted | kernels | MB counted | MB "
        "| ms |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    )
    for r in sorted(ran, key=lambda r: r["group"]):
        counted = _find(records, "h100_1", r["group"], r["program"])
        kernels = str(counted["kernels"]) if counted else ""
        size = f"{counted['temporary_bytes'] / MEGABYTE:.2f}" if counted else ""
        yield (
            f"| {r['group']} | {r['program']} | {r['batch']} | {kernels} | "
            f"{r['kernels']} | {size} | {r['temporary_bytes'] / MEGABYTE:.2f} | "
            f"{1e3 * r['seconds']:.3f} |"
        )


def _row(record: Record, records: Sequence[Record]) -> str:
    head = f"| {record['program']} | {record['target']} | {record['batch']} |"
    if "error" in record:
        return f"{head} the compiler gave up: {record['error']} | | | | | |"
    flops, ratio = record["flops"], flops_ratio(record, records)
    collectives = "; ".join(
        f"{number} {kind}, {size / MEGABYTE:.3g} MB"
        for kind, (number, size) in record["collectives"].items()
    )
    cells = [
        "" if flops is None else f"{flops / 1e9:.4g}",
        "" if ratio is None else f"{ratio:.3f}",
        f"{record['temporary_bytes'] / MEGABYTE:.2f}",
        str(record["kernels"]),
        collectives or "none",
        f"{record['compile_s']:.1f}",
    ]
    return f"{head} {' | '.join(cells)} |"


def flops_ratio(record: Record, records: Sequence[Record]) -> float | None:
    """Return FLOPs per example on all devices, divided by those on one device."""
    target = REFERENCES[TARGETS[record["target"]][0]]
    one = _find(records, target, record["group"], record["program"])
    if one is None or not one.get("flops") or not record.get("flops"):
        return None

    def work(r):
        return r["flops"] * r["devices"] / r["batch"]

    return work(record) / work(one)


def _find(records, target: str, group: str, program: str) -> Record | None:
    wanted = target, group, program
    for record in records:
        found = record["target"], record["group"], record["program"]
        if found == wanted and "error" not in record:
            return record
    return None


def verdicts(
    records: Sequence[Record],
) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Yield each target: its name, its bound, and what was found."""

    def against(group, program, than, quantity, targets):
        """Return the ratio of two programs' quantity, by target; 0 / 0 is 1."""
        ratios = {}
        for target in targets:
            pair = [_find(records, target, group, name) for name in (program, than)]
            if all(r and r.get(quantity) is not None for r in pair):
                ours, other = (r[quantity] for r in pair)
                ratios[target] = ours / other if other else 1.0 + ours
        return ratios

    scaled = {}
    for record in records:
        ratio = flops_ratio(record, records)
        if record["devices"] > 1 and record["group"] in (IWSGD, MLP_STEP, *DEEP):
            worst = max(scaled.get(record["target"], 0), ratio or 0)
            scaled[record["target"]] = worst
    found = {name: worst for name, worst in scaled.items() if worst}
    yield "FLOPs x of IWSGD and of steps, the worst program", 1.05, found
    drawn = {
        r["target"]: float(sum(number for number, _ in r["collectives"].values()))
        for r in records
        if r["group"] == ALONE and r["devices"] > 1 and "invariant" not in r["program"]
    }
    yield "collectives of noise alone", 0, drawn
    reduced = {}
    for r in records:
        if r["group"] == IWSGD and r["devices"] > 1 and "error" not in r:
            moved = sum(size for _, size in r["collectives"].values()) / GRADIENT_BYTES
            reduced[r["target"]] = max(moved, reduced.get(r["target"], 0))
    yield "bytes of IWSGD's collectives over its gradient's", 1.01, reduced
    gpu = ("h100_1",)
    flax = "flax's Dropout"
    one = _find(records, "h100_1", ALONE, flax)
    for bits in (32, 8) if one else ():
        for name, more in (("dropout", 0), ("random dropout", 1)):
            ours = _find(records, "h100_1", ALONE, f"{name}, {bits} bits")
            yield (
                f"kernels of {name}, {bits} bits, alone, less those of flax's Dropout",
                more,
                {"h100_1": ours["kernels"] - one["kernels"]},
            )
            yield (
                f"temporary bytes of {name}, {bits} bits, alone, per unit",
                0.1,
                {"h100_1": ours["temporary_bytes"] / (ours["batch"] * 4096)},
            )
    pairs = [
        ("temporary bytes of map, S = 32 over S = 8", IWSGD, "S = 32, map", 1.1)
        + ("S = 8, map", "temporary_bytes"),
        ("temporary bytes of resample, S = 8 over S = 1", IWSGD, "S = 8, resample", 1.3)
        + ("S = 1", "temporary_bytes"),
    ]
    pairs += [
        (f"temporary bytes with dropout over none, {group}", group, "dropout", 1.1)
        + ("no noise", "temporary_bytes")
        for group in DEEP
    ]
    for name, group, program, bound, other, quantity in pairs:
        targets = ("h100_1", "h100_8", "v5e_1", "v5e_4x4")
        yield name, bound, against(group, program, other, quantity, targets)
    seeds = (MLP_STEP, "8 seeds, vmap", "one seed")
    yield "FLOPs of 8 seeds over one", 8.1, against(*seeds, "flops", ("cpu_1", "v5e_1"))
    yield "kernels of 8 seeds over one", 1.2, against(*seeds, "kernels", gpu)


def draw(records: Sequence[Record], path: pathlib.Path) -> None:
    """Draw FLOPs of the scaled programs, and temporary bytes on one device."""
    from matplotlib import figure

    fig = figure.Figure(figsize=(11, 4.6), layout="constrained")
    left, right = fig.subplots(1, 2)
    groups = (IWSGD, MLP_STEP, *DEEP)
    chosen = [(r["group"], r["program"]) for r in records if r["group"] in groups]
    programs = list(dict.fromkeys(chosen))
    labels = [
        f"{g.split(',')[0]}, {g.split(', ')[1].split(' ')[0]}: {p}" for g, p in programs
    ]
    for target in ("cpu_8", "v5e_4x4", "v5e_16x16"):
        rows = [_find(records, target, *program) for program in programs]
        ratios = [flops_ratio(r, records) if r else None for r in rows]
        points = [(v, i) for i, v in enumerate(ratios) if v]
        if points:
            left.plot(*zip(*points, strict=True), "o", label=LABELS[target], alpha=0.7)
    left.axvline(1.05, color="grey", linestyle=":", label="at most")
    left.set_yticks(range(len(labels)), labels, fontsize=8)
    left.set_xlim(left=0.9)
    left.invert_yaxis()
    left.set(xlabel="FLOPs per example x one device's", title="Work on many devices")
    left.legend()
    for shift, target in ((-0.2, "h100_1"), (0.2, "v5e_1")):
        rows = [_find(records, target, *program) for program in programs]
        sizes = [r["temporary_bytes"] / MEGABYTE if r else 0 for r in rows]
        places = [i + shift for i in range(len(rows))]
        right.barh(places, sizes, 0.4, label=LABELS[target])
    right.set_yticks(range(len(labels)), [""] * len(labels))
    right.invert_yaxis()
    right.set(xscale="log", xlabel="temporary MB", title="Memory on one device")
    right.legend()
    fig.savefig(path, dpi=110)
