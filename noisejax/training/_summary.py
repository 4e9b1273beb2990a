"""What a run came to: test errors with their spread, and what they depend on."""

import math
from typing import Any

import numpy as np


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, standard error and the values themselves.

    Args:
      values: one per seed.

    Returns:
      {"mean", "standard_error" (None for one seed), "per_seed"}.
    """
    error = None
    if len(values) > 1:
        error = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    return {
        "mean": float(np.mean(values)),
        "standard_error": error,
        "per_seed": [float(value) for value in values],
    }


def show_spread(values: dict[str, Any], unit: str = "%") -> str:
    """A spread as people read it: "1.53 ± 0.04 % (n = 3)"."""
    n = len(values["per_seed"])
    error = values["standard_error"]
    plus_minus = "" if error is None else f" ± {error:.2f}"
    return f"{values['mean']:.2f}{plus_minus} {unit} (n = {n})"
