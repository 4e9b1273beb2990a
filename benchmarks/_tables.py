"""Formats the records of a benchmark as a table."""

from collections.abc import Mapping, Sequence
from typing import Any


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the records of one question as a Markdown table, quickest first."""
    first = records[0]
    timed = [record for record in records if "median_s" in record]
    n, others = (timed[0][key] for key in ("n", "others_share"))
    lines = [
        f"### {first['question']}",
        "",
        f"x = times `{first['reference']}`; n = {n} rounds in turns, in which other "
        f"processes took up to {100 * others:.0f} % of the machine."
        + _of_floor(records),
        "",
        "| variant | median ms | min ms | x (medians) | x (minima) | x min ... max "
        "| x CPU time | x floor | compile s | temporary MB | target |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for record in sorted(timed, key=lambda record: record["median_s"]):
        lines.append(_row(record))
    skipped = [record["variant"] for record in records if "skipped" in record]
    if skipped:
        lines += ["", f"Skipped, as not installed: {', '.join(skipped)}."]
    return "\n".join([*lines, ""])


def _of_floor(records: Sequence[Mapping[str, Any]]) -> str:
    """Which variants the floor is one of, if not of all."""
    within = sum("x_floor" in record for record in records)
    if not within or within == sum("median_s" in record for record in records):
        return ""
    return " x floor: of the variants that do all of its work, in its precision."


def _row(record: Mapping[str, Any]) -> str:
    span = ""
    if "ratio_min" in record:
        span = f"{record['ratio_min']:.2f} ... {record['ratio_max']:.2f}"
    cells = [
        record["variant"]
        + (" (floor)" if record.get("floor") == record["variant"] else ""),
        f"{1e3 * record['median_s']:.3f}",
        f"{1e3 * record['min_s']:.3f}",
        _number(record.get("ratio")),
        _number(record.get("ratio_of_minima")),
        span,
        _number(record.get("cpu_ratio")),
        _number(record.get("x_floor")),
        _number(record["compile_s"] or None),
        _megabytes(record.get("temporary_bytes")),
        "; ".join(map(_verdict, record["targets"])),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _megabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:.2f}"


def _verdict(target: Mapping[str, Any]) -> str:
    verdict = "reached" if target["reached"] else "missed"
    kind = target.get("quantity", "seconds")
    of = "" if kind == "seconds" else f"{kind.replace('_', ' ')} "
    return (
        f"{of}{target['ratio']:.2f} x {target['reference']}, "
        f"at most {target['bound']:g}: {verdict}"
    )
