"""Images, pages and files."""

import struct

import matplotlib
import numpy as np
import pytest

from noisejax import figures

X = np.random.default_rng(1).uniform(size=(2, 6, 6))


def image(ax):
    return np.asarray(ax.images[0].get_array())


def test_back_projections_keep_the_range_of_the_originals():
    stars = np.stack([X, 2 * X, X - 5], axis=1)
    figure = figures.back_projections(X, stars)
    assert [ax.get_title() for ax in figure.axes[:4]] == [
        *("x", "x*, mask 1", "x*, mask 2", "x*, mask 3")
    ]
    assert len(figure.axes) == 8
    scaled = (X[1] - X.min()) / (X.max() - X.min())
    np.testing.assert_allclose(image(figure.axes[4]), scaled)
    np.testing.assert_allclose(image(figure.axes[5]), scaled)
    assert image(figure.axes[6]).max() == 1 and not image(figure.axes[7]).any()


def test_colours_and_a_last_axis_of_one():
    coloured = np.random.default_rng(0).uniform(size=(2, 4, 4, 3))
    figure = figures.back_projections(coloured, coloured[:, None], titles=("x", "y"))
    assert image(figure.axes[1]).shape == (4, 4, 3)
    assert figure.axes[1].get_title() == "y"
    figure = figures.back_projections(X[..., None], X[:, None, ..., None])
    assert image(figure.axes[0]).shape == (6, 6)


def test_units_shut_off_shows_differences_and_filters():
    stars = X[0] + np.arange(3).reshape(3, 1, 1) * 0.1
    filters = np.random.default_rng(2).normal(size=(3, 6, 6))
    figure = figures.units_shut_off(X[0], stars, filters, names=["a", "b", "c"])
    by_title = {ax.get_title(): ax for ax in figure.axes}
    assert list(by_title)[:4] == ["x", "a", "b", "c"]
    differences, weights = figure.axes[5:8], figure.axes[9:12]
    np.testing.assert_allclose(image(differences[2]), stars[2] - X[0])
    np.testing.assert_allclose(image(weights[2]), filters[2])
    for axes, drawn in ((differences, stars - X[0]), (weights, filters)):
        assert {ax.images[0].get_clim()[1] for ax in axes} == {np.abs(drawn).max()}
    bars = [ax.get_ylabel() for ax in figure.axes[12:]]
    assert bars == ["x* - x", "weights"]  # each with its scale


def test_shift_images_are_symmetric_about_zero():
    left, right, *_ = figures.shift_images(X[0], -X[1]).axes
    np.testing.assert_array_equal(image(left), X[0])
    assert right.images[0].get_clim() == (-X[1].max(), X[1].max())


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: figures.back_projections(X, X),
            r"projected must be \[examples, masks, height, width\]",
        ),
        (lambda: figures.back_projections(X, X[:1, None]), "the images of originals"),
        (lambda: figures.back_projections(X, X[:, None], titles=["x"]), "1 titles"),
        (
            lambda: figures.back_projections(X[:0], X[:0, None]),
            r"got shape \(0, 6, 6\)",
        ),
        (lambda: figures.units_shut_off(X[0], X, X[:1]), "one image per"),
        (lambda: figures.units_shut_off(X[0], X, X, names=["a"]), "1 names"),
        (lambda: figures.shift_images(X[0], X[0, 1:]), "same size"),
        (lambda: figures.page([]), "at least one drawing"),
        (
            lambda: figures.page([figures.bars], row_heights_cm=(1.0, 2.0)),
            "1 numbers, one per row",
        ),
    ],
)
def test_images_that_do_not_fit_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_pages_hold_figures():
    def draw(part):
        figures.acceleration(figure=part)

    page = figures.page([draw] * 3, row_heights_cm=(4.0, 6.0), title="all")
    np.testing.assert_allclose(page.get_size_inches() * 2.54, (16, 10.6))
    assert len(page.axes) == 3 and page.get_suptitle() == "all"


@pytest.mark.parametrize("name", ["g", "g.png", "deep/g.pdf", "v1.5"])
def test_files_are_png_and_pdf_8_cm_wide(tmp_path, name):
    figure = figures.acceleration(frequency=100.0)
    png, pdf = figures.save(figure, tmp_path / name)
    stem = "v1.5" if name == "v1.5" else "g"
    assert (png.name, pdf.name) == (f"{stem}.png", f"{stem}.pdf")
    width, _ = struct.unpack(">II", png.read_bytes()[16:24])
    assert width == int(8 / 2.54 * 300)
    assert pdf.read_bytes().startswith(b"%PDF")
    again = figures.save(figures.acceleration(frequency=100.0), tmp_path / "again")
    assert again[1].read_bytes() == pdf.read_bytes()  # no dates


def test_nothing_global_is_changed():
    """No pyplot, no window, and the user's own style stays."""
    before = dict(matplotlib.rcParams)
    figures.page([lambda part: figures.acceleration(figure=part)])
    assert dict(matplotlib.rcParams) == before
