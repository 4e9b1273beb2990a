"""What ends a run before its time."""


class TrainingError(RuntimeError):
    """Training cannot go on; what was reached is kept."""


class TrainingStopped(TrainingError):
    """Training was asked to stop; the checkpoint of its last epoch is kept."""
