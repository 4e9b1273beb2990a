"""Scales that experiments share: smoke, and instant where nothing is trained."""

from collections.abc import Mapping

from noisejax.experiments._experiment import Scale, Value

SMOKE = {
    "training.epochs": 1,
    "training.batch_size": 10,
    "training.retrain_epochs": 0,
    "training.patience": 0,
    "data.validation": 0.1,
    "optimizer.warmup_epochs": 0.0,
}


def smoke(
    width_factor: float = 1 / 50, overrides: Mapping[str, Value] | None = None
) -> Scale:
    """Return the scale of two training steps of narrow networks on generated data.

    Args:
      width_factor: factor on the units of every layer.
      overrides: further fields of every row.
    """
    return Scale(
        changes=(
            "generated data of the real data's shape",
            "narrow networks trained two steps; every row is also built at full width, "
            "as shapes",
        ),
        cost="seconds, two cores",
        overrides={**SMOKE, **(overrides or {})},
        width_factor=width_factor,
        generated=True,
    )


def instant(changes: tuple[str, ...] = (), *, draws: int = 0) -> Scale:
    """Return the scale of an experiment without training.

    Args:
      changes: differences from the paper's protocol.
      draws: number of masks drawn.
    """
    return Scale(changes=changes, cost="seconds, two cores", draws=draws)
