"""Types and helpers that all measurements share."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from noisejax import figures, noise
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

MAX_LAYERS = 4
"""Largest number of layers in a figure; deeper networks show some of their layers."""

Values = Mapping[str, Any]
"""Result of a measurement, in types that JSON can store."""

Networks = Mapping[str, Values]
"""Label of a network -> its result of one measurement."""


@dataclasses.dataclass(frozen=True)
class SampleSizes:
    """Numbers of examples and draws, which limit time and memory.

    Attributes:
      examples: number of test examples for activations.
      gradients: number of training examples for gradients and curvature.
      chunk: number of examples that are processed at the same time.
      num_draws: number of draws of all masks, for variances and slopes.
      num_samples: number of noise samples S of the bound.
      iterations: number of Hessian-vector products.
      rows: largest number of rows (examples or positions) for correlations.
      shares: number of draws of each mask, for the share of dropped units.
    """

    examples: int = 1000
    gradients: int = 500
    chunk: int = 100
    num_draws: int = 20
    num_samples: int = 64
    iterations: int = 30
    rows: int = 10_000
    shares: int = 10_000


class Measurement(NamedTuple):
    """Measurement of a network, and its figures.

    Attributes:
      measure: function that measures one network. It raises `NotMeasuredError` if the
        measurement does not apply to the network.
      draw: function that draws the results of one or more networks.
    """

    measure: Callable[[noise.Key, TrainedModel, SampleSizes], Values]
    draw: Callable[[Networks], list["Drawing"]]


def require_noise(model: TrainedModel) -> None:
    """Raise `NotMeasuredError` if the network is not noisy."""
    if not model.is_noisy:
        raise NotMeasuredError("the network makes no noise")


def plain(value: Any) -> Any:
    """Convert an array, or the fields of a dataclass, to numbers and lists.

    A float32 number becomes the shortest decimal that rounds to it.
    """
    if dataclasses.is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    value = np.asarray(value)
    if value.dtype == np.float32:
        value = value.astype(str).astype(np.float64)
    return value.tolist()


class Drawing(NamedTuple):
    """Part of a page, with its height and a function that draws it."""

    height_cm: float
    draw: Callable[..., object]

    def into(self, canvas: Any) -> object:
        """Draw on a figure or subfigure."""
        return self.draw(figure=canvas)


def drawing(
    draw: Callable[..., Any], *args: Any, panels: int = 1, **options: Any
) -> Drawing:
    """Bind the arguments of a function of `figures`, for a part of a page.

    Args:
      draw: function with a parameter `figure`.
      *args: positional arguments of the function.
      panels: number of panels that it draws, two per row.
      **options: keyword arguments of the function.
    """
    height = 5.8 if panels == 1 else 1.2 + 4.8 * -(-panels // 2)
    return Drawing(height, functools.partial(draw, *args, **options))


def page(drawings: Sequence[Drawing], *, title: str = "", columns: int = 2) -> Figure:
    """Draw a page. Drawings are sorted by height, so that rows have equal heights."""
    drawings = sorted(drawings, key=lambda part: part.height_cm)
    heights = [part.height_cm for part in drawings]
    rows = [max(heights[i : i + columns]) for i in range(0, len(heights), columns)]
    draws = [part.into for part in drawings]
    return figures.page(draws, columns=columns, title=title, row_heights_cm=rows)


WORDS = {
    "layer": "Hidden layer",
    "hidden": "Hidden layer",
    "conv": "Convolution",
    "dense": "Dense layer",
    "block": "Block",
    "output": "Output layer",
    "last": "Output layer",
    "logits": "Output layer",
}
"""First word of a layer's name in reports -> label in figures."""


def layer_title(name: str) -> str:
    """Return the label of a layer: "Hidden layer 1" for "layer 1" and "hidden 1"."""
    word, _, number = name.replace("_", " ").partition(" ")
    words = WORDS.get(word, word.capitalize())
    return words if word == "last" or not number else f"{words} {number}"


def titled(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return at most `MAX_LAYERS` of the layers, under their labels in figures."""
    names = list(layers)
    if len(names) > MAX_LAYERS:
        chosen = np.linspace(0, len(names) - 1, MAX_LAYERS).round().astype(int)
        names = [names[i] for i in chosen]
    return {layer_title(name): layers[name] for name in names}
