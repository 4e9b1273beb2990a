"""The benchmarks run at small sizes, and measure and report correctly."""

import importlib
import json
import subprocess
import sys

import jax
import pytest
from jax import numpy as jnp

from benchmarks import __main__ as page
from benchmarks import (
    _aot_counts,
    _aot_programs,
    _aot_report,
    _aot_targets,
    _bench,
    _compile,
    _same,
    _tables,
    ahead_of_time,
)


@pytest.fixture(autouse=True)
def as_users_run_them():
    """Allow rank promotion and reused keys, which other libraries and repeats need."""
    with jax.numpy_rank_promotion("allow"), jax.debug_key_reuse(False):
        yield
    jax.clear_caches()


@pytest.mark.parametrize("name", page.QUESTIONS)
@pytest.mark.filterwarnings("default")
def test_runs(name):
    """Variants agree with each other, and each is measured."""
    records = importlib.import_module(f"benchmarks.{name}").run(repeats=1, smoke=True)
    assert records
    for record in records:
        assert "skipped" in record or 0 < record["min_s"] <= record["median_s"]
        if "temporary_bytes" in record:
            assert record["compile_s"] > 0, (
                "it was compiled ahead, so the time must be recorded"
            )
        json.dumps(record)


def fake(seconds):
    """Return a variant that returns its time, which `measured` uses as the clock's."""
    return lambda: seconds


@pytest.fixture
def measured(monkeypatch):
    """Run `measure` with variants that take the seconds that they return."""

    def timed(call, count):
        value = call()
        return value, value

    monkeypatch.setattr(_bench, "_timed", timed)
    monkeypatch.setattr(_bench, "PAUSE_SECONDS", 0)

    def measure(**options):
        variants = {"slow": fake(0.3), "quick": fake(0.1), "absent": None}
        return _bench.measure(
            "which?", variants, reference="quick", repeats=3, **options
        )

    return measure


def test_ratios_and_targets(measured):
    targets = [
        _bench.Target("slow", "quick", 2.0),
        _bench.Target("quick", "slow", 0.5),
        _bench.Target("quick", "absent", 0.5),
    ]
    slow, quick, absent = measured(targets=targets, facts={"slow": {"bytes": 7}})
    assert slow["ratio"] == slow["ratio_min"] == pytest.approx(3)
    assert quick["ratio"] == 1
    assert [t["reached"] for t in slow["targets"]] == [False]
    assert [t["reached"] for t in quick["targets"]] == [True], "absent rivals: none"
    assert absent["skipped"] and "ratio" not in absent
    assert (slow["n"], slow["bytes"]) == (3, 7)


def test_targets_of_memory(measured):
    targets = [_bench.Target("slow", "quick", 1.1, "temporary_bytes")]
    facts = {"slow": {"temporary_bytes": 20}, "quick": {"temporary_bytes": 10}}
    slow, _, _ = measured(targets=targets, facts=facts)
    assert [(t["ratio"], t["reached"]) for t in slow["targets"]] == [(2.0, False)]


def test_variants_that_disagree_are_not_compared(measured):
    def same(results):
        assert results["slow"] == results["quick"], results

    with pytest.raises(AssertionError, match=r"'slow': 0\.3"):
        measured(same=same)


def test_table(measured, capsys):
    records = measured(floor="quick", targets=[_bench.Target("slow", "quick", 2.0)])
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["quick (floor)", "slow"]
    assert "3.00 x quick, at most 2: missed" in text
    assert "Skipped, as not installed: absent." in text
    assert _tables.table(records) in text


def test_only_variants_above_a_floor_are_compared_with_it(measured):
    everything = measured(floor="quick")
    assert [r.get("x_floor") for r in everything[:2]] == [pytest.approx(3), 1]
    slow, quick, _ = measured(floor="quick", above=())
    assert "x_floor" not in slow and "floor" not in slow
    assert quick["x_floor"] == 1
    text = _tables.table([slow, quick])
    assert "| quick (floor) |" in text and "x floor: of the variants" in text
    assert "x floor: of the variants" not in _tables.table(everything)


def test_compile_time_is_that_of_the_call_that_compiles():
    with _compile.CompileTime() as nothing:
        pass
    jitted = jax.jit(lambda x: jnp.tanh(x) @ x)
    x = jnp.ones((3, 3))
    with _compile.CompileTime() as first:
        jitted(x)
    with _compile.CompileTime() as second:
        jitted(x)
    assert nothing.seconds == second.seconds == 0 < first.seconds
    program, facts = _compile.compile_ahead(jax.jit(lambda x: x @ x), x)
    assert facts["compile_s"] > 0 <= facts["temporary_bytes"]
    assert (program(x) == 3).all()


def test_nested_spans_count_once():
    spent = _compile.CompileTime()
    event = f"{_compile.PREFIX}jaxpr_trace_duration"
    for start, end in ((5, 6), (0, 4), (1, 2), (3, 4.5)):
        spent._hear(event, start, end)
    spent._hear("/jax/another", 10, 20)
    assert spent.seconds == 5.5


def test_compile_seconds_of_a_precompiled_program_are_reported(measured):
    slow, quick, _ = measured(facts={"slow": {"compile_s": 2.5}})
    assert (slow["compile_s"], quick["compile_s"]) == (2.5, 0)
    row = _tables.table([slow, quick]).splitlines()[-2]
    assert row.split("|")[9].strip() == "", "quick compiled nothing"


def test_steps_that_differ_are_an_error():
    wanted = 1.0, {"w": jnp.asarray([3.0, 4.0])}
    _same.check_steps("a", (1.0, {"w": jnp.asarray([3.0, 4.004])}), wanted)
    with pytest.raises(AssertionError, match=r"a, gradient\['w'\]: 0\.1"):
        _same.check_steps("a", (1.0, {"w": jnp.asarray([3.0, 4.1])}), wanted)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        _same.check_steps("a", (1.1, wanted[1]), wanted)


def test_kept_results_replace_older_ones_of_the_same_benchmark(measured, tmp_path):
    machine = {"device": "cpu", "devices": 1, "cores": 2, "cpu": "x", "python": "3"}
    machine |= {"versions": {"jax": "0"}, "load_1min": 0.0}

    def records(name):
        added = {"benchmark": name, "machine": machine}
        return [added | record for record in measured()]

    page.keep("cpu", records("gaaf"), tmp_path)
    page.keep("cpu", records("masks"), tmp_path)
    page.keep("cpu", records("gaaf"), tmp_path)
    lines = (tmp_path / "cpu.json").read_text().splitlines()
    kept = [json.loads(line)["benchmark"] for line in lines]
    assert kept == ["masks"] * 3 + ["gaaf"] * 3
    assert (tmp_path / "cpu.md").read_text().count("### which?") == 2


PROGRAM = """%fused (p: f32[8]) -> f32[8] {
  %p = f32[8]{0} parameter(0)
  ROOT %n = f32[8]{0} negate(%p)
}

%body (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p = (s32[], f32[8]{0}) parameter(0)
  %x = f32[8]{0} get-tuple-element(%p), index=1
  %f = f32[8]{0} fusion(%x), kind=kLoop, calls=%fused
  %s = (f32[8]{0}, bf16[4,2]{1,0}) all-reduce-start(%f, %f), to_apply=%fused
  ROOT %t = (s32[], f32[8]{0}) tuple(%x, %f)
}

%condition (p: (s32[], f32[8])) -> pred[] {
  %p = (s32[], f32[8]{0}) parameter(0)
  ROOT %c = pred[] compare(%p, %p), direction=LT
}

ENTRY %main (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p = (s32[], f32[8]{0}) parameter(0)
  ROOT %w = (s32[], f32[8]{0}) while(%p), condition=%condition, body=%body
}
"""


def test_kernels_and_collectives_of_a_program_are_counted():
    kernels, collectives = _aot_counts._count_instructions(PROGRAM)
    assert kernels == 2, "the fusion and the comparison, not the fusion's parts"
    assert collectives == {"all-reduce in a loop": [1, 8 * 4 + 8 * 2]}


def test_programs_are_counted_on_a_cpu():
    """Every mask and the gradients of an MLP compile; resample saves operations."""
    place = _aot_programs.Place(jax.devices()[:1], 4)
    found = {}
    for program in _aot_programs.programs():
        if program.group in (_aot_report.ALONE, _aot_report.IWSGD):
            function, arguments = program.build(place)
            lowered = jax.jit(function).lower(*arguments)
            found[program.name] = _aot_counts.count(lowered)
    assert found["dropout, 32 bits"]["kernels"] >= 1
    assert 0 < found["S = 8, resample"]["flops"] < 0.7 * found["S = 8, fold"]["flops"]


def record(target, flops, devices=1, **others):
    names = {"target": target, "group": _aot_report.IWSGD, "program": "S = 1"}
    counts = {"kernels": 3, "temporary_bytes": 0, "collectives": {}, "compile_s": 1.0}
    about = {"jax": "0", "devices": devices, "batch": 64 * devices, "flops": flops}
    return names | counts | about | others


def test_a_program_that_ran_stands_beside_its_counts():
    run = record("here", 1.0, kernels=4, seconds=0.002, device="GPU 1")
    text = _aot_report.page([record("h100_1", 1.0), run])
    assert "## On a device: GPU 1" in text
    assert "| S = 1 | 64 | 3 | 4 | 0.00 | 0.00 | 2.000 |" in text


def test_a_program_runs_on_a_device_with_made_up_arguments():
    place = _aot_programs.Place(jax.devices()[:1], 4)
    x, y, key = place.batch(3), place.batch(dtype=jnp.int32), place.key()

    def draw(key, x, y):
        return x + y[:, None] + jax.random.uniform(key, x.shape)

    lowered = jax.jit(draw).lower(key, x, y)
    assert _aot_counts.count(lowered, (key, x, y))["seconds"] > 0


def test_work_that_is_repeated_on_each_device_misses_its_target():
    records = [record("cpu_1", 100.0), record("cpu_8", 800.0, 8)]
    text = _aot_report.page(records)
    assert "cpu_8: 8 | **no**" in text
    text = _aot_report.page([records[0], record("cpu_8", 101.0, 8)])
    assert "cpu_8: 1.01 | yes" in text
    assert ahead_of_time.merge(records, [record("cpu_8", 101.0, 8)])[1]["flops"] == 101


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--targets=h1000"], "--targets must be some of cpu_1, "),
        (["--targets=cpu_8", "--batch=100"], "must be a multiple of the 8 devices"),
    ],
)
def test_bad_targets_are_errors(flags, message):
    command = [sys.executable, "-m", "benchmarks.ahead_of_time", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and message in done.stderr


def test_a_missing_compiler_names_the_extra(monkeypatch):
    monkeypatch.setattr(_aot_targets, "_is_installed", lambda module: False)
    with pytest.raises(ImportError, match=r"pip install 'noisejax\[aot\]'"):
        _aot_targets.check_targets(["v5e_4x4"])
