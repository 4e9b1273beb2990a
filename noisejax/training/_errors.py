"""What ends a run before its time."""


class TrainingError(RuntimeError):
    """Training cannot go on; what was reached is kept."""


class ProcessLost(TrainingError):
    """Another process of the run ended: none can go on, nor leave in order."""


class TrainingStopped(TrainingError):
    """Training was asked to stop; the checkpoint of its last epoch is kept."""
