"""The list, the rows of a smoke run, and networks at full width."""

import pytest

from noisejax import reproduce
from noisejax.experiments import EXPERIMENTS, SCALES


def test_a_line_per_experiment_its_name_first():
    lines = reproduce.describe_experiments().splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    for line, experiment in zip(lines, EXPERIMENTS.values(), strict=True):
        assert experiment.title in line
        for scale in SCALES:
            assert f"{scale}: {experiment.scales[scale].cost}" in line
        others = [n for n in EXPERIMENTS if n != experiment.name and n in line.split()]
        assert not others


def names(experiment, scale="smoke"):
    return [row.name for row in reproduce.find_rows(EXPERIMENTS[experiment], scale, ())]


def overrides(name, row):
    return EXPERIMENTS[name].overrides(row, "smoke")


def test_smoke_takes_every_network():
    assert names("hahn2018_table4") == ["base", "dropout", "gaaf"]
    assert len(names("hahn2018_table5")) == 2 * 4  # VGG, four convolutions
    for name in ("factorial", "ba2014_table2", "ba2014_table6"):
        rows = {path: set() for path in ("taken", "all")}
        taken = reproduce.find_rows(EXPERIMENTS[name], "smoke", ())
        for key, some in (
            ("taken", taken),
            ("all", EXPERIMENTS[name].rows_at("smoke")),
        ):
            for row in some:
                fields = overrides(name, row)
                kept = ("model.name", "model.gaaf", "model.activation", "noise.shift")
                known = {"model.gaaf": False, "noise.shift": "none", **fields}
                rows[key].add(tuple(known.get(path) for path in kept))
        assert rows["taken"] == rows["all"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("factorial", "noise.scheme"),
        ("factorial", "objective.num_samples"),
        ("factorial", "training.mode"),
        ("bouthillier2015_figure4", "projection.method"),
        ("bouthillier2015_figure6", "noise.scheme"),
        ("noh2017_figure2", "objective.weighting"),
        ("noh2017_figure2", "objective.strategy"),
        ("ba2014_table3", "data.preprocess"),
    ],
)
def test_smoke_takes_every_other_setting_once(name, path):
    experiment = EXPERIMENTS[name]
    taken = reproduce.find_rows(experiment, "smoke", ())
    every = {overrides(name, row).get(path) for row in experiment.rows_at("smoke")}
    assert {overrides(name, row).get(path) for row in taken} == every
    assert len(every) > 1 and len(taken) <= 10


def test_noise_that_is_asked_for_is_there():
    """A scheme at rate 0 does not count as noise."""
    for row in reproduce.find_rows(EXPERIMENTS["bouthillier2015_figure6"], "smoke", ()):
        fields = overrides("bouthillier2015_figure6", row)
        if fields["noise.scheme"].startswith("random_dropout"):
            assert fields["noise.input_rate"] > 0


def test_rows_without_networks_are_all_taken():
    assert names("ba2014_table1") == ["relu", "sigmoid", "tanh", "maxout"]


def test_rows_by_name_are_taken_once_in_that_order():
    experiment = EXPERIMENTS["hahn2018_table4"]
    taken = reproduce.find_rows(experiment, "smoke", ["gaaf", "base", "gaaf"])
    assert [row.name for row in taken] == ["gaaf", "base"]


def test_short_takes_its_own_rows_and_paper_all():
    experiment = EXPERIMENTS["ba2014_table3"]
    assert set(names("ba2014_table3", "short")) == set(experiment.scales["short"].rows)
    assert "dnn_dropout" in names("ba2014_table3", "paper")
    assert "zeiler_dropout" not in names("ba2014_table3", "paper")


@pytest.mark.parametrize(
    "name", [n for n, e in EXPERIMENTS.items() if e.kind != "computed"]
)
def test_every_row_builds_at_full_width(name):
    counts = reproduce.check_full_width(EXPERIMENTS[name])
    assert set(counts) == {row.name for row in EXPERIMENTS[name].rows_at("paper")}
    small = "hahn" in name or name in ("fine_tuning", "noh2017_table4")
    assert small or all(count > 1_000_000 for count in counts.values())


def test_published_sizes():
    wide = reproduce.check_full_width(EXPERIMENTS["noh2017_table1"])
    assert round(wide["cifar10_s_8"] / 1e6, 1) == 36.5
    cnn = reproduce.check_full_width(EXPERIMENTS["ba2014_table3"])["invariant"]
    maxout = reproduce.check_full_width(EXPERIMENTS["ba2014_table6"])[
        "cifar10_invariant"
    ]
    assert cnn < maxout / 2
    assert f"{cnn / 1e6:.1f} against {maxout / 1e6:.1f} million" in (
        EXPERIMENTS["ba2014_table6"].claims[1].settled
    )
