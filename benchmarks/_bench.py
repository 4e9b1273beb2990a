"""Shared parts of the benchmarks: interleaved repeats, ratios, checks and tables.

A benchmark is a file with `run(*, repeats, smoke) -> list[dict]`, which measures one
question by `measure`, and `if __name__ == "__main__": main(run)`.
"""

import dataclasses
import importlib
import json
import os
import pathlib
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import jax
import numpy as np
from absl import app, flags

from benchmarks._compile import CompileTime
from benchmarks._machine import machine
from benchmarks._quiet import LIMIT, Others, cpu_seconds, wait_for_quiet
from benchmarks._tables import table

FLAGS = flags.FLAGS
REPEATS = flags.DEFINE_integer(
    "repeats", 15, "Interleaved repeats of every variant.", lower_bound=1
)
SMOKE = flags.DEFINE_bool("smoke", False, "Tiny sizes: does it run, in seconds?")
PATIENCE = flags.DEFINE_float(
    "patience", 0.0, "Seconds per question to wait for others' processes to rest."
)
JSON = flags.DEFINE_string(
    "json", None, "File for the records, a JSON line each; else printed."
)

Times = dict[str, list[float]]
"""Variant -> seconds per call, one for each round."""

REPEAT_SECONDS = 0.02
"""A repeat calls a quick variant so often that it lasts at least this long."""

PAUSE_SECONDS = 0.005
"""Before each repeat: OpenMP threads of a peer go on spinning for a moment."""

PINNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
}
"""Settings of glibc: memory once had is kept, so no call pays for fresh pages."""


@dataclasses.dataclass(frozen=True)
class Target:
    """Target: `variant` takes at most `bound` times as much as `reference`.

    Attributes:
      variant: name of the variant.
      reference: name of the reference.
      bound: upper bound of the ratio.
      quantity: "seconds" (medians), or a fact, such as "temporary_bytes".
    """

    variant: str
    reference: str
    bound: float
    quantity: str = "seconds"


def peer(module: str) -> ModuleType | None:
    """Import an optional package; if it is missing, print this and return None."""
    try:
        return importlib.import_module(module)
    except ImportError:
        print(f"{module} is not installed: its variants are skipped", flush=True)
        return None


def measure(
    question: str,
    variants: Mapping[str, Callable[[], Any] | None],
    *,
    reference: str,
    repeats: int,
    same: Callable[[dict[str, Any]], None] | None = None,
    floor: str | None = None,
    above: Sequence[str] | None = None,
    targets: Sequence[Target] = (),
    facts: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Time the variants in turns, compare them and print a table.

    Args:
      question: title of the table, with the sizes.
      variants: name -> a call without arguments, which returns its results (JAX arrays
        are waited for); None for one that is skipped.
      reference: the variant that the ratios refer to.
      repeats: number of rounds. Each round calls all variants, in changing order.
      same: given every variant's first results by name; raises (AssertionError) where
        variants that must agree do not.
      floor: the variant that does only a part of the work of those `above` it.
      above: the variants that do all of the floor's work, in its precision, and more;
        ratios to the floor are written down for them. None: all.
      targets: ratios to reach.
      facts: more to write down, by variant, such as memory; "compile_s" of a program
        that was compiled before.

    Returns:
      A record per variant: times in seconds, ratios of medians to the reference with
      the least and the largest ratio within one round, seconds that JAX compiled in
      the first call, targets.
    """
    calls = {name: call for name, call in variants.items() if call is not None}
    results, compile_seconds, counts = {}, {}, {}
    for name, call in calls.items():
        with CompileTime() as spent:
            results[name], _ = _timed(call, 1)
        compile_seconds[name] = spent.seconds
        _, warm = _timed(call, 1)
        counts[name] = int(np.clip(np.ceil(REPEAT_SECONDS / warm), 1, 10_000))
    if same is not None:
        same(results)
    del results
    seconds, processor, others = _in_turns(calls, counts, repeats)
    records = []
    for name in variants:
        record = {"question": question, "variant": name, "reference": reference}
        if name in calls:
            record |= {
                "n": repeats,
                "calls_per_repeat": counts[name],
                "compile_s": _digits(compile_seconds[name]),
                **_spread(seconds[name]),
                **_compared(seconds[name], seconds.get(reference), "ratio"),
                **_compared(processor[name], processor.get(reference), "cpu_ratio"),
                "checked": same is not None,
                "others_share": _digits(others),
            }
            if floor is not None and (above is None or name in (floor, *above)):
                record |= {"floor": floor}
                record |= _compared(seconds[name], seconds.get(floor), "x_floor")
            record["targets"] = [
                _reached(target, seconds, facts or {})
                for target in targets
                if target.variant == name and target.reference in seconds
            ]
        else:
            record["skipped"] = True
        records.append(record | dict((facts or {}).get(name, {})))
    print(table(records), flush=True)
    return records


def _timed(call: Callable[[], Any], count: int) -> tuple[Any, float]:
    """Return the results of the last of `count` calls, and the seconds per call."""
    start = time.perf_counter()
    for _ in range(count):
        result = jax.block_until_ready(call())
    return result, (time.perf_counter() - start) / count


def _in_turns(calls, counts, repeats) -> tuple[Times, Times, float]:
    """The quietest `repeats` rounds: seconds by the clock, seconds of processor time,
    and others' share of the machine in the worst round.

    More rounds than these are run while others disturb and patience lasts.
    """
    patience = PATIENCE.value if FLAGS.is_parsed() else 0.0
    deadline = time.monotonic() + patience
    rounds, order = [], list(calls)
    shuffle = random.Random(0).shuffle
    while sum(share < LIMIT for share, *_ in rounds) < repeats:
        if time.monotonic() > deadline and len(rounds) >= repeats:
            break
        wait_for_quiet(deadline)
        shuffle(order)
        others, seconds, processor = Others(), {}, {}
        for name in order:
            time.sleep(PAUSE_SECONDS)
            began = cpu_seconds()
            seconds[name] = _timed(calls[name], counts[name])[1]
            processor[name] = (cpu_seconds() - began) / counts[name]
        rounds.append((others.share(), seconds, processor))
    rounds = sorted(rounds, key=lambda r: r[0])[:repeats]
    shares, seconds, processor = zip(*rounds, strict=True)
    return _by_name(seconds), _by_name(processor), max(shares)


def _by_name(rounds) -> Times:
    return {name: [times[name] for times in rounds] for name in rounds[0]}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "min_s": _digits(min(values)),
        "median_s": _digits(statistics.median(values)),
        "max_s": _digits(max(values)),
    }


def _digits(value: float) -> float:
    """Round to five digits, because the others are noise."""
    return float(f"{value:.5g}")


def _compared(times, reference_times, name: str) -> dict[str, float]:
    """Return ratios of medians and of minima, and the range over the rounds."""
    if reference_times is None:
        return {}
    rounds = [a / b for a, b in zip(times, reference_times, strict=True)]
    medians = statistics.median(times) / statistics.median(reference_times)
    return {
        name: _digits(medians),
        f"{name}_of_minima": _digits(min(times) / min(reference_times)),
        f"{name}_min": _digits(min(rounds)),
        f"{name}_max": _digits(max(rounds)),
    }


def _reached(target: Target, seconds: Times, facts) -> dict[str, Any]:
    if target.quantity == "seconds":
        taken, allowed = seconds[target.variant], seconds[target.reference]
    else:
        taken, allowed = (
            [facts[name][target.quantity]]
            for name in (target.variant, target.reference)
        )
    compared = _compared(taken, allowed, "ratio")
    return {
        **dataclasses.asdict(target),
        **compared,
        "reached": compared["ratio"] <= target.bound,
    }


def main(run: Callable[..., list[dict[str, Any]]]) -> None:
    """Run a benchmark as a program, in a process whose allocator is pinned."""
    if any(os.environ.get(name) != value for name, value in PINNED.items()):
        os.execve(sys.executable, sys.orig_argv, os.environ | PINNED)

    def program(argv):
        if len(argv) > 1:
            raise app.UsageError(f"no arguments besides flags, got {argv[1:]}")
        here = machine()
        print(json.dumps(here), flush=True)
        records = run(repeats=REPEATS.value, smoke=SMOKE.value)
        text = "\n".join(json.dumps(record | {"machine": here}) for record in records)
        if JSON.value:
            pathlib.Path(JSON.value).write_text(text + "\n")
        else:
            print(text)

    app.run(program)
