"""Effects of the factorial, against a design whose truth is known."""

import numpy as np
import pytest

from noisejax.experiments import EXPERIMENTS
from noisejax.reproduce import Saved, draw, effects
from tests.reproduce.tiny import ERROR, result

FACTORIAL = EXPERIMENTS["factorial"]
SCHEME = {"dropout": 0.0, "random": 1.0, "gaussian": -2.0}


def error(f, seed):
    """Scheme, shift -0.5, GAAF +0.25, S = 4 -1, shift and S together +0.3."""
    shift, gaaf, four = f["shift"], f["gaaf"], f["samples"] == 4
    value = SCHEME[f["scheme"]] - 0.5 * shift + 0.25 * gaaf - 1.0 * four
    return value + 0.3 * (shift and four) + 10 * seed + 0.01 * seed * shift


def make(seeds):
    return [
        result(row.name, seed, **{ERROR: error(row.factors, seed)})
        for row in FACTORIAL.rows
        if "control" not in row.factors
        for seed in seeds
    ]


def found(results):
    return effects(FACTORIAL.rows, FACTORIAL.design, results, ERROR)


def test_effects_are_those_of_the_truth():
    by_name = found(make([0, 1, 2]))
    values = {name: effect.value for name, effect in by_name.items()}
    assert values["Random dropout"] == pytest.approx(1.0)
    assert values["Gaussian dropout"] == pytest.approx(-2.0)
    assert values["GAAF"] == pytest.approx(0.25)
    assert values["Learned shift"] == pytest.approx(-0.5 + 0.3 / 2 + 0.01)
    assert values["4 samples"] == pytest.approx(-1.0 + 0.3 / 2)
    assert values["Learned shift x 4 samples"] == pytest.approx(0.3 / 2)
    assert values["GAAF x 4 samples"] == pytest.approx(0.0, abs=1e-9)
    assert len(by_name) == 5 + 2 * 3 + 3  # no interaction of a factor with itself


def test_standard_errors_are_over_seeds_of_differences_within_a_seed():
    shift = found(make([0, 1, 2]))["Learned shift"]
    assert shift.num_seeds == 3
    deviation = np.std([0.0, 0.01, 0.02], ddof=1)
    assert shift.standard_error == pytest.approx(deviation / np.sqrt(3))
    assert found(make([0, 1, 2]))["GAAF"].standard_error == pytest.approx(0, abs=1e-9)
    assert np.isnan(found(make([0]))["GAAF"].standard_error)


def test_without_a_spread_there_is_no_interval():
    """The effect of GAAF is the same in every seed, up to rounding."""
    by_name = found(make([0, 1, 2]))
    assert (by_name["GAAF"].low, by_name["GAAF"].high) == (-np.inf, np.inf)
    assert by_name["Learned shift"].low > -np.inf


def test_the_figure_shows_main_effects_and_interactions():
    figure = draw(Saved(FACTORIAL, make([0, 1])))
    main, both = figure.axes
    names = [label.get_text() for label in main.get_yticklabels()]
    assert names == [
        *("Random dropout", "Gaussian dropout", "Learned shift", "GAAF", "4 samples")
    ]
    assert len(both.get_yticklabels()) == 2 * 3 + 3
    points = main.containers[0].lines[0].get_xdata()
    assert points == pytest.approx([1.0, -2.0, -0.345, 0.25, -0.85])
    figure = draw(Saved(FACTORIAL, make([0])[:3]))
    assert len(figure.axes) == 1  # errors, row by row


def test_a_cell_that_is_missing_leaves_no_effects():
    results = make([0, 1])
    name = next(r.name for r in FACTORIAL.rows if "control" not in r.factors)
    assert found([r for r in results if r["row"] != name]) == {}
