"""The benchmarks run, at seconds-long sizes; how they measure and report is right."""

import importlib
import json

import jax
import pytest

from benchmarks import __main__ as page
from benchmarks import _bench


@pytest.fixture(autouse=True)
def as_users_run_them():
    """Rivals promote ranks, and calls are repeated with the same key."""
    with jax.numpy_rank_promotion("allow"), jax.debug_key_reuse(False):
        yield


@pytest.mark.parametrize("name", page.QUESTIONS)
@pytest.mark.filterwarnings("default")
def test_runs(name):
    """The comparisons' own checks pass, and every variant is measured."""
    records = importlib.import_module(f"benchmarks.{name}").run(repeats=1, smoke=True)
    assert records
    for record in records:
        assert "skipped" in record or 0 < record["min_s"] <= record["median_s"]
        json.dumps(record)


def fake(seconds):
    """A variant whose results are its times; `measure` reads no clock but ours."""
    return lambda: seconds


@pytest.fixture
def measured(monkeypatch):
    """Variants that take the seconds that they return, by a clock of our own."""

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
    assert _bench.table(records) in text


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
