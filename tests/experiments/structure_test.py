"""Every experiment is complete: names, configurations, scales, vocabulary."""

import math
import re

import pytest

from noisejax import experiments, training
from noisejax.experiments import EXPERIMENTS, METRICS, SCALES

PROMISED = """
    bouthillier2015_figure1 bouthillier2015_figure2 bouthillier2015_figure3
    bouthillier2015_figure4 bouthillier2015_figure5 bouthillier2015_figure6
    hahn2018_figure1 hahn2018_figure2 hahn2018_figure3 hahn2018_figure4
    hahn2018_table2 hahn2018_table3 hahn2018_table4 hahn2018_table5
    ba2014_table1 ba2014_table2 ba2014_table3 ba2014_table4 ba2014_table5 ba2014_table6
    ba2014_figure2 noh2017_figure2 noh2017_table1 factorial
    iwsgd inverted_mnist noh2017_table2 noh2017_table3 noh2017_table4 vit_factorial
    fine_tuning
"""


def config_of(experiment, row, scale):
    """Return the configuration of a row at a scale."""
    sections = {}
    for path, value in experiment.overrides(row, scale).items():
        section, _, field = path.partition(".")
        sections.setdefault(section, {})[field] = value
    return training.from_dict(sections)


@pytest.fixture(params=EXPERIMENTS)
def experiment(request):
    return EXPERIMENTS[request.param]


def test_experiment_names():
    assert set(EXPERIMENTS) == set(PROMISED.split())
    assert all(name == experiment.name for name, experiment in EXPERIMENTS.items())


def test_row_names_are_unique_and_need_no_quotes(experiment):
    names = [row.name for row in experiment.rows]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_.\-]+", name) for name in names)


def test_rows_have_different_configurations(experiment):
    """Except figure 6, where two panels share a point."""
    if experiment.kind == "computed":
        return
    names = {}
    for row in experiment.rows_at("paper"):
        overrides = experiment.overrides(row, "paper")
        names.setdefault(repr(sorted(overrides.items())), []).append(row.name)
    twins = [twin for twin in names.values() if len(twin) > 1]
    if experiment.name == "bouthillier2015_figure6":
        assert len(twins) == 2 * 3
        assert all(
            a.endswith("input_0.2") and b.endswith("hidden_0.5") for a, b in twins
        )
    else:
        assert not twins


def test_scales_state_their_cost(experiment):
    assert tuple(experiment.scales) == SCALES
    for scale in experiment.scales.values():
        assert scale.cost
        assert 0 < scale.width_factor <= 1
        known = {row.name for row in experiment.rows if not row.cited}
        assert set(scale.rows) <= known, set(scale.rows) - known
    if experiment.kind != "computed":
        assert experiment.scales["smoke"].generated
        assert not experiment.scales["short"].generated
        assert experiment.scales["paper"].width_factor == 1
        assert experiment.scales["short"].num_seeds >= (
            1 if "residual" in experiment.metrics[0] else 3
        )


def test_smoke_and_paper_run_every_row(experiment):
    for scale in ("smoke", "paper"):
        runs = [row for row in experiment.rows if not row.cited]
        assert list(experiment.rows_at(scale)) == runs


def test_metrics_and_measurements_are_in_the_vocabulary(experiment):
    printed = {metric for row in experiment.rows for metric in row.printed}
    for metric in {*printed, *experiment.metrics}:
        assert metric.split("/")[0] in METRICS, metric
    assert printed <= set(experiment.metrics)
    assert set(experiment.measurements) <= set(experiments.MEASUREMENTS)
    assert experiment.measurements or experiment.kind == "trained"
    assert experiment.kind in ("computed", "trained", "measured")


def test_texts_are_sentences(experiment):
    texts = (
        *experiment.protocol,
        *experiment.ours,
        *experiment.inconsistencies,
        *(claim.text for claim in experiment.claims),
    )
    for text in texts:
        assert text.endswith("."), text
        assert "  " not in text and not re.search(r"\.[A-Z]", text), text
    assert experiment.protocol and experiment.ours


def test_claims_use_rows_that_run_and_reported_metrics(experiment):
    run = {row.name for row in experiment.rows_at("paper")}
    for claim in experiment.claims:
        for contrast in claim.contrasts:
            assert contrast.low < contrast.high
            for weight, rows, metric in contrast.terms:
                rows = {rows} if isinstance(rows, str) else set(rows)
                assert weight and rows <= run and metric in experiment.metrics


def test_short_tests_at_least_one_claim(experiment):
    run = {row.name for row in experiment.rows_at("short")}
    touched = [
        any(
            row in run if isinstance(row, str) else run & set(row)
            for _, row, _ in contrast.terms
        )
        for claim in experiment.claims
        for contrast in claim.contrasts
    ]
    assert not touched or any(touched)


def test_our_rows_and_cited_rows_are_marked(experiment):
    for row in experiment.rows:
        assert not (row.ours and row.printed), "a row of ours has no printed number"
        assert not row.cited or (row.printed and not row.overrides)


def test_printed_values_are_finite_numbers_or_text():
    for experiment in EXPERIMENTS.values():
        for row in experiment.rows:
            for printed in row.printed.values():
                if not isinstance(printed.value, str):
                    assert math.isfinite(printed.value)
                assert printed.deviation is None or printed.deviation > 0


def test_overrides_are_applied_in_order():
    """Experiment, row, scale; then widths and epochs are multiplied."""
    experiment = EXPERIMENTS["noh2017_table1"]
    row = next(r for r in experiment.rows if r.name == "cifar10_x4_iterations")
    paper, short = (experiment.overrides(row, scale) for scale in ("paper", "short"))
    assert paper["training.epochs"] == 4 * 200
    assert (
        short["training.epochs"]
        == 4 * experiment.scales["short"].overrides["training.epochs"]
    )
    assert (paper["model.depth"], short["model.depth"]) == (28, 10)
    assert (paper["model.width_factor"], short["model.width_factor"]) == (10, 1)
    assert paper["training.num_seeds"] == 3
    experiment = EXPERIMENTS["bouthillier2015_figure6"]
    row = experiment.rows_at("short")[0]
    assert experiment.overrides(row, "paper")["model.widths"] == (2500, 625)
    assert experiment.overrides(row, "short")["model.widths"] == (1000, 250)


def test_unknown_scale_is_an_error():
    with pytest.raises(KeyError):
        EXPERIMENTS["factorial"].rows_at("long")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "experiment",
    [e for e in EXPERIMENTS.values() if e.kind != "computed"],
    ids=lambda e: e.name,
)
def test_every_row_can_be_trained(experiment, scale):
    """Unknown fields, wrong types and contradictions fail before training."""
    for row in experiment.rows_at(scale):
        training.check_config(config_of(experiment, row, scale))
