"""Printed numbers agree with what the papers say about them elsewhere."""

import math
import statistics

import pytest

from noisejax.experiments import EXPERIMENTS


def printed(name, metric):
    """Return row -> number that the paper prints."""
    return {
        row.name: row.printed[metric].value
        for row in EXPERIMENTS[name].rows
        if metric in row.printed
    }


def by_factors(name, *axes):
    """Return levels of the axes -> row."""
    return {
        tuple(row.factors[axis] for axis in axes): row
        for row in EXPERIMENTS[name].rows
        if set(axes) <= set(row.factors)
    }


def test_ba_table_2_as_the_text_quotes_it():
    errors = printed("ba2014_table2", "test_error_percent")
    assert len(errors) == 2 * 5
    assert errors["inverted_dropout"] == 1.32  # sections 1 and 2.2
    assert errors["original_dropout"] == 1.01  # section 2.2
    assert round(errors["inverted_invariant"], 2) == 0.94
    assert min(errors, key=errors.get) == "original_invariant"


def test_ba_table_5_has_the_means_of_the_text():
    bits = printed("ba2014_table5", "code_quality_bits")
    rows = by_factors("ba2014_table5", "method", "partition")
    means = {
        method: statistics.mean(bits[rows[method, p].name] for p in range(1, 7))
        for method in ("no_dropout", "dropout", "invariant")
    }
    assert round(means["no_dropout"]) == 431
    assert round(means["dropout"]) == 465
    assert math.floor(means["invariant"]) == 474  # 474.6
    gain = (474 - 465) / (465 - 431)
    assert round(100 * gain) == 26
    best = [max(range(1, 7), key=lambda p: bits[rows["dropout", p].name])]
    assert best == [3]  # where regular dropout is the better one
    assert bits["partition_3_dropout"] > bits["partition_3_invariant"]


def test_ba_gains():
    cifar = printed("ba2014_table3", "test_error_percent")
    assert round(cifar["dropout"] - cifar["invariant"], 1) == 0.6
    svhn = printed("ba2014_table4", "test_error_percent")
    assert min(svhn, key=svhn.get) == "invariant"
    maxout = printed("ba2014_table6", "test_error_percent")
    assert maxout["cifar10_dropout"] == cifar["invariant"]  # section 3.5
    assert maxout["svhn_invariant"] < maxout["svhn_dropout"]


def test_hahn_table_5_has_the_improvements_printed_in_it():
    accuracies = printed("hahn2018_table5", "test_accuracy_percent")
    gains = {
        "cifar100": (1.66, 1.88),
        "cifar10": (0.61, 0.82),
        "svhn": (0.16, 0.36),
    }
    for data, (plain, normalised) in gains.items():
        a = {m: accuracies[f"{data}_{m}"] for m in ("base", "bn", "gaaf", "bn_gaaf")}
        assert round(a["gaaf"] - a["base"], 2) == plain
        assert round(a["bn_gaaf"] - a["bn"], 2) == normalised


def test_hahn_gradients_are_about_five_times_larger():
    gradients = {
        layer: printed("hahn2018_table2", f"gradient_information/{layer}")
        for layer in ("layer_1", "layer_2", "layer_3")
    }
    ratios = [round(g["dropout"] / g["base"], 1) for g in gradients.values()]
    assert ratios == [5.5, 4.7, 6.2]
    assert sorted(g["gaaf"] for g in gradients.values()) == [1.78e-4, 6.43e-4, 1.15e-3]


@pytest.mark.parametrize("method", ["base", "dropout"])
@pytest.mark.parametrize("layer", ["layer_1", "layer_2", "layer_3"])
def test_hahn_counts_rise_as_the_bound_falls(method, layer):
    counts = [
        printed("hahn2018_figure1", f"pairs_above/{layer}/{bound}")[method]
        for bound in (0.9, 0.8, 0.7, 0.6, 0.5)
    ]
    assert counts == sorted(counts)
    units = 512 if layer == "layer_1" else 256
    assert counts[-1] < units * (units - 1) / 2


def test_hahn_dropout_has_more_correlated_pairs_everywhere():
    metrics = EXPERIMENTS["hahn2018_figure1"].metrics
    assert len(metrics) == 15
    for metric in metrics:
        counts = printed("hahn2018_figure1", metric)
        assert counts["dropout"] > counts["base"]


def test_hahn_table_4_deviations():
    rows = {row.name: row.printed for row in EXPERIMENTS["hahn2018_table4"].rows}
    epochs = {n: p["epochs_to_converge"] for n, p in rows.items() if p}
    assert [(e.value, e.deviation) for e in epochs.values()] == [
        (82, 16.6),
        (169, 9.7),
        (114, 24.8),
    ]


@pytest.mark.parametrize("data", ["cifar10", "cifar100"])
def test_noh_table_1_in_the_order_of_its_claims(data):
    errors = printed("noh2017_table1", "test_error_percent")
    s8, s4, one, x4 = (
        errors[f"{data}_{name}"]
        for name in ("s_8", "s_4", "reproduced", "x4_iterations")
    )
    assert s8 < s4 < one < x4
    cited = [
        row.name
        for row in EXPERIMENTS["noh2017_table1"].rows
        if row.cited and row.factors["data"] == data
    ]
    better = [name for name in cited if errors[name] < s8]
    assert better == [f"{data}_densenet"]  # "very close to the state of the art"
    assert len(cited) == {"cifar10": 8, "cifar100": 7}[data]


def test_figures_without_printed_values_have_none():
    for name in (
        "bouthillier2015_figure4",
        "bouthillier2015_figure6",
        "ba2014_figure2",
    ):
        assert not any(row.printed for row in EXPERIMENTS[name].rows)


def test_bouthillier_figure_6_has_all_levels():
    rows = by_factors("bouthillier2015_figure6", "data", "network", "panel", "level")
    assert len(rows) == 2 * 3 * (8 + 8 + 9 + 9)
    row = rows["cifar10", "2500-1250", "input", 0.7]
    assert row.overrides["noise.input_rate"] == 0.7
    assert row.overrides["noise.hidden_rate"] == 0.5
    assert row.overrides["data.preprocess"] == ("pca",)
    row = rows["mnist", "2500-625", "hidden", 0.3]
    assert row.overrides["noise.input_rate"] == 0.2
    assert row.overrides["noise.hidden_rate"] == 0.3
    row = rows["mnist", "2500-2500", "random", 0.8]
    assert row.overrides["noise.scheme"] == "random_dropout"
    assert (
        row.overrides["noise.input_rate"] == row.overrides["noise.hidden_rate"] == 0.8
    )


def test_factorial_is_crossed_and_its_noise_matched_in_variance():
    cells = by_factors("factorial", "scheme", "shift", "gaaf", "samples")
    assert len(cells) == 3 * 2 * 2 * 2
    assert len(EXPERIMENTS["factorial"].rows) == 24 + 4
    variance = {
        "dropout": lambda r: r / (1 - r),
        "gaussian": lambda r: r / (1 - r),
        "random": lambda r: -math.log1p(-r) / r - 1,
    }
    for (scheme, *_), row in cells.items():
        of = variance[scheme]
        assert math.isclose(of(row.overrides["noise.input_rate"]), 0.25, rel_tol=1e-3)
        assert math.isclose(of(row.overrides["noise.hidden_rate"]), 1, rel_tol=1e-3)
