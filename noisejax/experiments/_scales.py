"""The scale that all experiments share: smoke."""

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
    """Two steps of every distinct network, narrow, on generated data.

    Args:
      width_factor: of every layer.
      overrides: besides those that all smoke runs share.
    """
    return Scale(
        changes=(
            "generated data of the real data's shape",
            "narrow networks trained two steps; every row built at full width as "
            "shapes",
        ),
        cost="seconds, two cores",
        overrides={**SMOKE, **(overrides or {})},
        width_factor=width_factor,
        generated=True,
    )


def instant(changes: tuple[str, ...] = (), *, draws: int = 0) -> Scale:
    """A scale of an experiment without training.

    Args:
      changes: from the paper's protocol.
      draws: of masks.
    """
    return Scale(changes=changes, cost="seconds, two cores", draws=draws)
