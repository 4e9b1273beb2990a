"""Errors and curves: what is drawn is what was given, with its band and its n."""

import numpy as np
import pytest

from noisejax import figures
from noisejax.figures._bands import mean_and_error

CURVES = {
    "dropout": {"train": np.array([[60.0, 30.0], [80.0, 10.0]])},
    "random dropout": {"test": np.array([[50.0, 7.0, np.nan]])},
}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_bands_are_numpys():
    values = np.random.default_rng(0).normal(size=(5, 3))
    mean, error = mean_and_error(values)
    np.testing.assert_allclose(mean, values.mean(0))
    np.testing.assert_allclose(error, values.std(0, ddof=1) / np.sqrt(5))
    values[1:, 0], values[:, 1] = np.nan, np.nan
    mean, error = mean_and_error(values)
    assert (mean[0], error[0]) == (values[0, 0], 0.0) and np.isnan(mean[1])
    values[0, 2] = np.nan
    np.testing.assert_allclose(
        mean_and_error(values)[1][2], values[1:, 2].std(ddof=1) / 2
    )
    assert mean_and_error(np.array([3.0, 5.0])) == (4.0, 1.0)


def test_curves_are_means_in_bands():
    figure = figures.training_curves(CURVES)
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "error (%)")
    train, test = ax.lines
    np.testing.assert_array_equal(train.get_xdata(), [1, 2])
    np.testing.assert_array_equal(train.get_ydata(), [70, 20])
    np.testing.assert_array_equal(test.get_ydata(), [50, 7, np.nan])
    assert [line.get_color() for line in ax.lines] == figures.colours_of(CURVES)
    (band,) = ax.collections  # a single seed has none
    assert band.get_datalim(ax.transData).intervaly.tolist() == [10, 80]
    assert ax.get_yscale() == "log"
    assert legend(figure) == [
        "dropout (n = 2 seeds)",
        "random dropout (n = 1 seed)",
        "train",
        "test",
    ]


def test_losses_have_a_panel_of_their_own_and_near_values_a_plain_axis():
    losses = {"dropout": {"test": np.array([[1.0, 0.9]])}}
    figure = figures.training_curves(CURVES, losses=losses)
    left, right = figure.axes
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert right.get_ylabel() == "loss (nats)"


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "nothing to draw: runs must not be empty"),
        ({"a": {}}, "the splits of a must not be empty"),
        ({"a": {"test": [1.0, 2.0]}}, r"a, test: a curve is \[seeds, epochs\], got"),
        ({"a": {"test": np.zeros((0, 3))}}, r"got shape \(0, 3\)"),
    ],
)
def test_curves_say_what_they_cannot_draw(curves, message):
    with pytest.raises(ValueError, match=message):
        figures.training_curves(curves)


LEVELS = {"2500-625": {0.0: [2.0, 4.0], 0.1: [1.0, 1.0]}, "2500-2500": {0.1: [0.5]}}


def test_noise_levels():
    figure = figures.noise_levels({"input": LEVELS, "hidden": LEVELS, "random": LEVELS})
    assert [ax.get_title() for ax in figure.axes] == [
        f"{name} (n = 1-2)" for name in ("input", "hidden", "random")
    ]
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("noise level", "test error (%)")
    line, _, (bars,) = ax.containers[0]
    np.testing.assert_array_equal(line.get_xydata(), [[0, 3], [0.1, 1]])
    np.testing.assert_allclose(bars.get_segments()[0], [[0, 2], [0, 4]])
    assert legend(figure) == ["2500-625", "2500-2500"]
    assert figure.axes[0].get_ylim() == figure.axes[2].get_ylim()


def test_num_samples_have_a_scale_per_data_set():
    panels = {"easy": {"S = 1": {0.1: [4.0]}}, "hard": {"S = 1": {0.1: [20.0]}}}
    easy, hard = figures.num_samples_errors(panels).axes
    assert easy.get_xlabel() == "dropout rate"
    assert easy.get_ylim()[1] < hard.get_ylim()[0]


def test_methods_stand_beside_each_other_over_names():
    errors = {"dropout": {"a": [1.0], "b": [2.0]}, "projected": {"b": [3.0]}}
    (ax,) = figures.method_errors({"MNIST": errors}).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    first, second = (c[0].get_xydata() for c in ax.containers)
    np.testing.assert_allclose(first, [[-0.08, 1], [0.92, 2]])
    np.testing.assert_allclose(second, [[1.08, 3]])


@pytest.mark.parametrize(
    "draw",
    [figures.noise_levels, figures.num_samples_errors, figures.method_errors],
)
@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels must not be empty"),
        ({"a": {}}, "labels must not be empty"),
        ({"a": {"b": {0.1: []}}}, r"got the shapes b \(0,\)"),
    ],
)
def test_errors_say_what_they_cannot_draw(draw, panels, message):
    with pytest.raises(ValueError, match=message):
        draw(panels)


def test_a_scheme_has_one_colour_and_unknown_ones_differ():
    names = ["none", "Dropout", "random_dropout", "S = 4", "run", "without dropout"]
    colours = figures.colours_of(names)
    assert colours[0] == colours[5] == "#000000"
    assert colours[1] == figures.colours_of(["regular dropout", "a", "b"])[0]
    assert len(set(colours)) == 5
    assert figures.colours_of(["a", "b", "a"])[0] == figures.colours_of(["a"])[0]
