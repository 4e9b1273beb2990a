"""Figures of errors and curves show the given values, bands and n."""

import numpy as np
import pytest

from noisejax import figures

CURVES = {
    "dropout": {"train": np.array([[60.0, 30.0], [80.0, 10.0]])},
    "random dropout": {"test": np.array([[50.0, 7.0, np.nan]])},
}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_bands_leave_nan_out():
    """Stopped seeds have no value; the error is NumPy's over the other seeds."""
    values = np.random.default_rng(0).normal(size=(5, 3)) + 9
    values[1:, 0], values[:, 1], values[0, 2] = np.nan, np.nan, np.nan
    (ax,) = figures.training_curves({"a": {"test": values}}).axes
    mean = ax.lines[0].get_ydata()
    assert mean[0] == values[0, 0] and np.isnan(mean[1])
    np.testing.assert_allclose(mean[2], values[1:, 2].mean())
    error = values[1:, 2].std(ddof=1) / 2
    band = ax.collections[0].get_datalim(ax.transData).intervaly
    expected = [min(mean[0], mean[2] - error), max(mean[0], mean[2] + error)]
    np.testing.assert_allclose(band, expected)


def test_curves_are_means_in_bands():
    figure = figures.training_curves(CURVES)
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Epoch", "Error (%)")
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
        "standard error",
    ]


def test_losses_have_a_panel_of_their_own_and_near_values_a_plain_axis():
    losses = {"dropout": {"test": np.array([[1.0, 0.9]])}}
    figure = figures.training_curves(CURVES, losses=losses)
    left, right = figure.axes
    assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
    assert right.get_ylabel() == "Loss (nats)"


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "nothing to draw: runs must not be empty"),
        ({"a": {}}, "the splits of a must not be empty"),
        (
            {"a": {"test": [1.0, 2.0]}},
            r"a, test: curves must be \[seeds, epochs\], got",
        ),
        ({"a": {"test": np.zeros((0, 3))}}, r"got shape \(0, 3\)"),
    ],
)
def test_curves_that_cannot_be_drawn(curves, message):
    with pytest.raises(ValueError, match=message):
        figures.training_curves(curves)


LEVELS = {"2500-625": {0.0: [2.0, 4.0], 0.1: [1.0, 1.0]}, "2500-2500": {0.1: [0.5]}}


def test_errors_against_a_number():
    panels = dict.fromkeys(("input", "hidden", "random"), LEVELS)
    figure = figures.errors(panels, xlabel="Noise level", sharey=True)
    assert [ax.get_title().split("\n")[0] for ax in figure.axes] == list(panels)
    ax = figure.axes[0]
    assert ax.get_title().endswith("(n = 1-2; bars: standard error)")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Noise level", "Test error (%)")
    line, _, (bars,) = ax.containers[0]
    np.testing.assert_array_equal(line.get_xydata(), [[0, 3], [0.1, 1]])
    np.testing.assert_allclose(bars.get_segments()[0], [[0, 2], [0, 4]])
    assert legend(figure) == ["2500-625", "2500-2500"]
    assert figure.axes[0].get_ylim() == figure.axes[2].get_ylim()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "0.1"]


def test_two_points_are_not_joined_by_a_line():
    few, many = {0.1: [1.0], 0.5: [2.0]}, {0.1: [1.0], 0.3: [1.5], 0.5: [2.0]}
    left, right = figures.errors({"few": {"a": few}, "many": {"a": many}}).axes
    assert left.containers[0][0].get_linestyle() == "None"
    assert right.containers[0][0].get_linestyle() == "-"


def test_panels_have_axes_of_their_own():
    panels = {"easy": {"S = 1": {0.1: [4.0]}}, "hard": {"S = 1": {0.1: [20.0]}}}
    easy, hard = figures.errors(panels).axes
    assert easy.get_ylim()[1] < hard.get_ylim()[0]


def test_a_last_odd_panel_is_as_wide_as_the_figure():
    """The grid has no empty cell."""
    figure = figures.errors(dict.fromkeys("abc", LEVELS))
    figure.draw_without_rendering()
    first, second, last = (ax.get_position() for ax in figure.axes)
    assert last.width > first.width + second.width


def test_names_stand_beside_each_other():
    errors = {"dropout": {"a": [1.0], "b": [2.0]}, "projected": {"b": [3.0]}}
    (ax,) = figures.errors({"MNIST": errors}).axes
    assert ax.get_title() == "MNIST\n(n = 1)"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    first, second = (c[0].get_xydata() for c in ax.containers)
    np.testing.assert_allclose(first, [[-0.08, 1], [0.92, 2]])
    np.testing.assert_allclose(second, [[1.08, 3]])


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels must not be empty"),
        ({"a": {}}, "labels must not be empty"),
        ({"a": {"b": {0.1: []}}}, r"got the shapes b \(0,\)"),
    ],
)
def test_errors_that_cannot_be_drawn(panels, message):
    with pytest.raises(ValueError, match=message):
        figures.errors(panels)


def test_estimates_stand_row_by_row():
    numbers = {"paper": {"a": (1.0, 0.0)}, "ours": {"a": (1.2, 0.1), "b": (2.0, 0.0)}}
    (ax,) = figures.estimates({"Test error (%)": numbers}).axes
    assert ax.get_xlabel() == "Test error (%)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    paper, ours = (c[0].get_xydata() for c in ax.containers)
    np.testing.assert_allclose(paper, [[1, 0]])
    np.testing.assert_allclose(ours, [[1.2, 0.12], [2, 1.12]])
    with pytest.raises(ValueError, match="the rows of the panel 'x' must not be empty"):
        figures.estimates({"x": {}})


def test_three_panels_of_the_same_rows_stand_beside_each_other():
    numbers = {title: {"ours": {"a": (1.0, 0.1), "b": (2.0, 0.1)}} for title in "xyz"}
    first, second, third = figures.estimates(numbers).axes
    bottoms = {ax.get_position().y0 for ax in (first, second, third)}
    assert len(bottoms) == 1
    shown = [ax.yaxis.get_tick_params()["labelleft"] for ax in (first, second, third)]
    assert shown == [True, False, False]


def test_a_scheme_has_one_colour_and_unknown_ones_differ():
    names = ["none", "Dropout", "random_dropout", "S = 4", "run", "without dropout"]
    colours = figures.colours_of(names)
    assert colours[0] == colours[5] == "#000000"
    assert colours[1] == figures.colours_of(["regular dropout", "a", "b"])[0]
    assert len(set(colours)) == 5
    assert figures.colours_of(["a", "b", "a"])[0] == figures.colours_of(["a"])[0]
