"""What predictions of soft targets are judged by (Ba et al. 2014, table 5)."""

import numpy as np
from jaxtyping import Float


def naive_guess(
    train_y: Float[np.ndarray, "examples tissues outcomes"],
) -> Float[np.ndarray, "tissues outcomes"]:
    """The naive guesser: every example gets the mean target of its tissue.

    Ours: the paper names the guesser but does not say what it guesses.

    Args:
      train_y: targets of the training part.

    Returns:
      One distribution per tissue.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> data.naive_guess(np.array([[[1.0, 0.0]], [[0.0, 1.0]]])).tolist()
      [[0.5, 0.5]]
    """
    return train_y.mean(0)


def code_quality(
    log_probs: Float[np.ndarray, "examples tissues outcomes"],
    targets: Float[np.ndarray, "examples tissues outcomes"],
    naive: Float[np.ndarray, "tissues outcomes"],
) -> float:
    """Code quality:  Σ KL(target ‖ naive) - KL(target ‖ prediction), in bits.

    The targets' own entropy cancels: Σ target (log₂ prediction - log₂ naive). Summed
    over examples and tissues; 0 for the naive guess.

    Args:
      log_probs: predicted, natural logarithms.
      targets: distributions.
      naive: the naive guess, as `naive_guess` makes it.

    Returns:
      Bits; the more the better.

    Raises:
      ValueError: shapes that do not agree.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> target = np.array([[[1.0, 0.0]]])
      >>> data.code_quality(np.log([[[0.5, 0.5]]]), target, np.array([[0.25, 0.75]]))
      1.0
    """
    if log_probs.shape != targets.shape or naive.shape != targets.shape[1:]:
        raise ValueError(
            "log_probs and targets must be [examples, tissues, outcomes], naive "
            f"[tissues, outcomes]; got {log_probs.shape}, {targets.shape}, "
            f"{naive.shape}"
        )
    log_naive = np.log(np.maximum(naive, np.finfo(naive.dtype).tiny))
    nats = np.sum(targets * (log_probs - log_naive), dtype=np.float64)
    return float(nats / np.log(2))
