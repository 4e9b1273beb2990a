"""Quality of predicted distributions (Ba et al. 2014, table 5)."""

import numpy as np
from jaxtyping import Float


def naive_guess(
    train_y: Float[np.ndarray, "examples tissues outcomes"],
) -> Float[np.ndarray, "tissues outcomes"]:
    """Return the mean target of each tissue, as a baseline prediction.

    The paper does not define its naive guesser. The mean is our choice.

    Args:
      train_y: training targets.

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

    The sum is over examples and tissues. It equals
    Σ target (log₂ prediction - log₂ naive), which is 0 for the naive guess.

    Args:
      log_probs: natural logarithms of the predictions.
      targets: target distributions.
      naive: naive guess from `naive_guess`.

    Returns:
      The code quality in bits. Larger is better.

    Raises:
      ValueError: the shapes do not agree.

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
