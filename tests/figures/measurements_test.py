"""Figures of measurements draw the numbers that they are given."""

import numpy as np
import pytest

from noisejax import figures

Z = np.linspace(-2.0, 2.0, 5)


def test_bound():
    s, bound = np.array([1, 2, 4]), np.array([-0.5, -0.4, -0.35])
    figure = figures.bound_curve(
        s,
        bound,
        standard_error=np.full(3, 0.01),
        effective_samples=np.array([1.0, 1.8, 3.0]),
        num_examples=12,
    )
    left, right = figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), bound)
    band = left.collections[0].get_datalim(left.transData).intervaly
    np.testing.assert_allclose(band, [-0.51, -0.34])
    assert left.get_title() == "Bound on log p(y | x)\n(n = 12 examples)"
    assert (left.get_xscale(), left.get_ylabel()) == ("log", "L(S) (nats)")
    np.testing.assert_array_equal(right.lines[1].get_ydata(), s)
    assert right.get_title().startswith("Effective samples")


def test_correlations_are_densities():
    counts = {"none": {"layer 1": [1, 2, 1, 0]}, "dropout": {"layer 1": [4, 4, 4, 4]}}
    (ax,) = figures.correlations(counts).axes
    values, edges, _ = ax.patches[0].get_data()
    np.testing.assert_allclose(values, [0.5, 1.0, 0.5, 0])
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5, 1])
    assert ax.get_title() == "Correlated units:\nlayer 1\n(n = 4-16 pairs)"
    assert ax.get_xlim() == (-1, 1)


def test_bars():
    counts = {
        "a": {"none": {"0.9": 1, "0.8": 20}, "dropout": {"0.9": 7}},
        "b": {"none": {"0.9": 0, "0.8": 3}, "dropout": {"0.9": 0, "0.8": 0}},
    }
    first, second = figures.bars(counts, scale="symlog", ylabel="Pairs").axes
    heights = [[bar.get_height() for bar in c] for c in first.containers]
    assert heights[0] == [1, 20] and heights[1][0] == 7 and np.isnan(heights[1][1])
    assert [t.get_text() for t in first.get_xticklabels()] == ["0.9", "0.8"]
    assert (first.get_yscale(), second.get_title()) == ("symlog", "b")
    assert first.get_ylim() == second.get_ylim() and first.get_ylim()[0] == 0
    assert (first.get_ylabel(), second.get_ylabel()) == ("Pairs", "")


def test_single_bars_have_their_number():
    (ax,) = figures.bars({"Sharpness": {"none": {"": 12.0}, "dropout": {"": 4.5}}}).axes
    assert [text.get_text() for text in ax.texts] == ["12", "4.5"]


def test_dropped_share():
    laws = {"dropout": np.array([0.25, 0.5, 0.25])}
    (ax,) = figures.dropped_share(laws, counts={"dropout": np.array([3, 0, 1])}).axes
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 0.5], [0.5, 1], [1, 0.5]])
    points, _, (bars,) = ax.containers[0]  # 2 * 3 / 4, and 2 * 1 / 4
    np.testing.assert_allclose(points.get_xydata(), [[0, 1.5], [1, 0.5]])
    np.testing.assert_allclose(bars.get_segments()[1], [[1, 0], [1, 1]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Share of units dropped", "Density")


def test_dropped_share_puts_neighbours_together():
    """A hundred counts in bins of three keep their total."""
    counts = np.arange(101)
    law = counts / counts.sum()
    (ax,) = figures.dropped_share({"a": law}, counts={"a": counts}).axes
    x, y = ax.containers[0][0].get_data()
    assert len(x) == 34
    np.testing.assert_allclose(
        y, np.interp(x, np.arange(101) / 100, 100 * law), rtol=0.02
    )


def test_acceleration_is_g():
    (ax,) = figures.acceleration(frequency=100.0, periods=2).axes
    teeth = [line.get_xydata() for line in ax.lines if line.get_linestyle() == "-"]
    np.testing.assert_allclose(
        teeth, [[[-0.01, -0.005], [0, 0.005]], [[0, -0.005], [0.01, 0.005]]]
    )
    assert ax.get_title() == "Gradient acceleration: K = 100, slope 1"


def test_shapes():
    curves = {"φ'(x)": (Z, 1 - np.tanh(Z) ** 2), "s(x)": (Z, np.exp(-np.abs(Z)))}
    left, right = figures.shapes({"tanh": curves, "ReLU": curves}).axes
    np.testing.assert_array_equal(left.lines[1].get_ydata(), curves["s(x)"][1])
    assert right.get_title() == "ReLU"


def test_net_variance_shows_the_parts_on_each_other():
    layers = {
        "a": {"measured": 3.0, "conditional": 2.0, "passed_on": 1.5},
        "b": {"measured": 1.0, "conditional": None, "passed_on": None},
    }
    (ax,) = figures.net_variance(layers, num_draws=20, num_examples=7).axes
    measured, own, passed_on = ax.containers
    assert [bar.get_height() for bar in measured] == [3, 1]
    assert (own[0].get_height(), passed_on[0].get_y()) == (2, 2)
    assert passed_on[0].get_height() == 1.5
    assert ax.get_title().endswith("under noise\n(n = 7 examples, 20 draws)")


def test_densities_count_values_outside_the_bins():
    h = {"counts": [2, 4], "low": -1, "high": 1, "below": 1, "above": 1}
    (ax,) = figures.net_values({"dropout": {"a": {**h, "saturation": 0.25}}}).axes
    np.testing.assert_allclose(ax.patches[0].get_data().values, [0.25, 0.5])
    assert [text.get_text() for text in ax.texts] == ["25 % saturated"]
    assert ax.get_title() == "Pre-activations:\na\n(n = 8)"


def test_slopes():
    clean, noisy = 1 - np.tanh(Z) ** 2, np.full(5, 0.4)
    (ax,) = figures.slopes(Z, clean, noisy, counts=np.arange(5), title="a").axes
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), noisy)
    assert (ax.get_ylim()[0], ax.get_title()) == (0, "a")
    assert len(ax.collections) == 2  # where noise adds slope, and the net values


def test_residuals():
    before = np.array([[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]])
    (ax,) = figures.residuals(before, before / 4).axes
    assert [t.get_text() for t in ax.get_xticklabels()] == [
        "Hidden layer 1",
        "Hidden layer 2",
    ]
    medians = [line.get_ydata()[0] for line in ax.lines if len(line.get_ydata()) == 2]
    assert {2.0, 4.0, 0.5, 1.0} <= set(medians)
    assert ax.get_title() == "Back-projection residuals\n(n = 3 examples)"


def test_infinite_residuals_are_left_out():
    before = np.array([[1.0, np.inf, 3.0], [np.inf] * 3])
    (ax,) = figures.residuals(before, before).axes
    medians = [line.get_ydata()[0] for line in ax.lines if len(line.get_ydata()) == 2]
    assert 2.0 in medians and ax.get_ylim()[1] < 4


def test_shifts_against_activity():
    mean = np.array([0.0, 1.0, 2.0])
    layers = {"input": (mean, -mean), "hidden": (mean.reshape(3, 1), np.ones((3, 1)))}
    left, right = figures.shifts_against_activity(layers).axes
    assert left.get_title() == "input\n(r = -1.00, n = 3 units)"
    assert (
        right.get_title() == "hidden\n(n = 3 units)"
    )  # equal shifts have no correlation
    np.testing.assert_array_equal(
        left.lines[1].get_xydata(), np.stack([mean, -mean], 1)
    )


def test_input_shift():
    (ax,) = figures.input_shift(Z, 1 + Z**2, best=0.5).axes
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), 1 + Z**2)
    assert ax.lines[1].get_ydata()[0] == 0.5 and ax.get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.bound_curve(Z, Z[1:]), r"num_samples \(5,\), bound \(4,\)"),
        (lambda: figures.bound_curve([], []), "at least 1"),
        (
            lambda: figures.bound_curve(Z, Z, standard_error=Z[:2]),
            r"standard_error \(2,\)",
        ),
        (lambda: figures.correlations({}), "networks must not be empty"),
        (lambda: figures.correlations({"a": {}}), "layers must not be empty"),
        (lambda: figures.correlations({"a": {"b": []}}), "at least 1"),
        (lambda: figures.dropped_share({}), "laws must not be empty"),
        (
            lambda: figures.dropped_share({"a": Z}, counts={"a": Z[1:]}),
            r"law \(5,\), counts \(4,\)",
        ),
        (lambda: figures.acceleration(frequency=0.0), "frequency above 0"),
        (lambda: figures.acceleration(periods=0), "at least 1 period"),
        (lambda: figures.shapes({}), "panels must not be empty"),
        (lambda: figures.shapes({"a": {"b": (Z, Z[1:])}}), r"x \(5,\), y \(4,\)"),
        (lambda: figures.net_variance({}), "layers must not be empty"),
        (lambda: figures.bars({}), "panels must not be empty"),
        (lambda: figures.bars({"a": {"b": {}}}), "the bars of a must not be empty"),
        (lambda: figures.net_values({}), "networks must not be empty"),
        (lambda: figures.slopes(Z, Z, Z[1:]), r"noisy \(4,\)"),
        (lambda: figures.slopes(Z, Z, Z, counts=Z[1:]), r"counts \(4,\)"),
        (lambda: figures.residuals(Z, Z), r"shape \[layers, examples\]"),
        (lambda: figures.residuals(Z[None], Z[None, 1:]), r"\(1, 5\) and \(1, 4\)"),
        (lambda: figures.shifts_against_activity({}), "layers must not be empty"),
        (
            lambda: figures.shifts_against_activity({"a": (Z, Z[1:])}),
            r"mean \(5,\), beta \(4,\)",
        ),
        (lambda: figures.input_shift(Z, Z[1:]), r"phi \(5,\), variance \(4,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
