"""What the list says, which rows a smoke run takes, and networks at full width."""

import pytest

from noisejax import reproduction
from noisejax.experiments import EXPERIMENTS, SCALES
from noisejax.reproduction._full_width import check_full_width
from noisejax.reproduction._listing import find_rows


def test_a_line_per_experiment_its_name_first():
    lines = reproduction.describe_experiments().splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    for line, experiment in zip(lines, EXPERIMENTS.values(), strict=True):
        assert experiment.title in line
        for scale in SCALES:
            assert f"{scale}: {experiment.scales[scale].cost}" in line
        others = [n for n in EXPERIMENTS if n != experiment.name and n in line.split()]
        assert not others


def names(experiment, scale="smoke"):
    return [row.name for row in find_rows(EXPERIMENTS[experiment], scale, ())]


def test_smoke_takes_distinct_networks():
    assert names("hahn2018_table4") == ["base", "dropout", "gaaf"]
    assert names("noh2017_table1") == ["cifar10_x4_iterations", "cifar10_s_4"]
    assert len(names("factorial")) == 28
    schemes = [
        EXPERIMENTS["bouthillier2015_figure6"].overrides(row, "smoke")["noise.scheme"]
        for row in find_rows(EXPERIMENTS["bouthillier2015_figure6"], "smoke", ())
    ]
    assert {"dropout", "random_dropout", "random_dropout_per_batch"} == set(schemes)


def test_rows_without_networks_are_all_taken():
    assert names("ba2014_table1") == ["relu", "sigmoid", "tanh", "maxout"]


def test_short_takes_its_own_rows_and_paper_all():
    experiment = EXPERIMENTS["ba2014_table3"]
    assert set(names("ba2014_table3", "short")) == set(experiment.scales["short"].rows)
    assert "dnn_dropout" in names("ba2014_table3", "paper")
    assert "zeiler_dropout" not in names("ba2014_table3", "paper")


@pytest.mark.parametrize(
    "name", [n for n, e in EXPERIMENTS.items() if e.kind != "computed"]
)
def test_every_row_builds_at_full_width(name):
    counts = check_full_width(EXPERIMENTS[name])
    assert set(counts) == {row.name for row in EXPERIMENTS[name].rows_at("paper")}
    assert all(count > 1_000_000 or "hahn" in name for count in counts.values())


def test_published_sizes():
    wide = check_full_width(EXPERIMENTS["noh2017_table1"])
    assert round(wide["cifar10_s_8"] / 1e6, 1) == 36.5
    cnn = check_full_width(EXPERIMENTS["ba2014_table3"])["invariant"]
    maxout = check_full_width(EXPERIMENTS["ba2014_table6"])["cifar10_invariant"]
    assert cnn < maxout / 2
    assert f"{cnn / 1e6:.1f} against {maxout / 1e6:.1f} million" in (
        EXPERIMENTS["ba2014_table6"].claims[1].text
    )
