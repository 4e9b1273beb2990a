"""What is measured on a trained network, by name."""

from collections.abc import Callable, Sequence

from noisejax.reproduction._measured import Measured
from noisejax.reproduction._network_measurements import (
    dead_units,
    noise_samples,
    sharpness,
)
from noisejax.reproduction._projection_measurements import (
    back_projected_samples,
    units_shut_off,
)
from noisejax.reproduction._subject import Subject
from noisejax.reproduction._unit_measurements import (
    correlations,
    net_values,
    slopes_under_noise,
)
from noisejax.reproduction._weight_measurements import (
    gradient_information,
    learning_curves,
    net_variances,
    shift_against_activity,
    shift_images,
)

MEASUREMENTS: dict[str, Callable[[Subject], Measured]] = {
    "back_projected_samples": back_projected_samples,
    "units_shut_off": units_shut_off,
    "correlation_counts": correlations,
    "gradient_information": gradient_information,
    "net_variances": net_variances,
    "slopes_under_noise": slopes_under_noise,
    "net_values": net_values,
    "shift_images": shift_images,
    "shift_against_activity": shift_against_activity,
    "learning_curves": learning_curves,
    "dead_units": dead_units,
    "sharpness": sharpness,
    "noise_samples": noise_samples,
}
"""Measurement -> how it is made on a network."""


def measure(names: Sequence[str], subject: Subject) -> Measured:
    """All of some measurements."""
    measured = Measured()
    for name in names:
        measured |= MEASUREMENTS[name](subject)
    return measured
