"""Amounts, plain values, parts of a page, and words of all measurements."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from noisejax import figures

MAX_LAYERS = 4
"""Panels per figure; of deeper networks the first, the last, and some between."""

Found = Mapping[str, Any]
"""Result of a measurement, as plain values for JSON."""

Networks = Mapping[str, Found]
"""Label of a network -> result of the same measurement."""


@dataclasses.dataclass(frozen=True)
class Amounts:
    """Numbers of examples and draws, which bound time and memory.

    Attributes:
      examples: test examples for activations.
      gradients: training examples for gradients and curvature.
      chunk: examples held at the same time.
      num_draws: draws of all masks, for variances and slopes.
      num_samples: noise samples S of the bound.
      iterations: Hessian-vector products.
      rows: largest number of rows of correlated activations.
      shares: draws of each mask, for the dropped share.
    """

    examples: int = 1000
    gradients: int = 500
    chunk: int = 100
    num_draws: int = 20
    num_samples: int = 64
    iterations: int = 30
    rows: int = 10_000
    shares: int = 10_000


def plain(value: Any) -> Any:
    """Convert an array, or the fields of a dataclass, to numbers and lists.

    Numbers have the digits of float32.
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
    """A part of a page: its height, and a function that draws into it."""

    height_cm: float
    draw: Callable[..., object]

    def into(self, canvas: Any) -> object:
        """Draw into a part of a figure."""
        return self.draw(figure=canvas)


def drawing(
    draw: Callable[..., Any], *args: Any, panels: int = 1, **options: Any
) -> Drawing:
    """Prepare a figure: a function of `figures` with its arguments.

    Args:
      draw: function with a parameter `figure`.
      *args: arguments.
      panels: number of its panels, two in a row.
      **options: keyword arguments.
    """
    height = 5.8 if panels == 1 else 1.2 + 4.8 * -(-panels // 2)
    return Drawing(height, functools.partial(draw, *args, **options))


def page(drawings: Sequence[Drawing], *, title: str = "", columns: int = 2) -> Figure:
    """Draw a page, with drawings of equal height in the same row."""
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
"""First word of a layer's name in reports -> words in figures."""


def layer_title(name: str) -> str:
    """Return a layer's name in words: "layer 1", "hidden 1": "Hidden layer 1"."""
    word, _, number = name.replace("_", " ").partition(" ")
    words = WORDS.get(word, word.capitalize())
    return words if word == "last" or not number else f"{words} {number}"


def titled(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return at most `MAX_LAYERS` of the layers, by their names in words."""
    names = list(layers)
    if len(names) > MAX_LAYERS:
        chosen = np.linspace(0, len(names) - 1, MAX_LAYERS).round().astype(int)
        names = [names[i] for i in chosen]
    return {layer_title(name): layers[name] for name in names}
