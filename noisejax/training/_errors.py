"""Errors that end a run early."""


class TrainingError(RuntimeError):
    """Training cannot continue; the last checkpoint is kept."""


class ProcessLost(TrainingError):
    """Another process ended: the run cannot continue or shut down cleanly."""


class TrainingStopped(TrainingError):
    """Training was asked to stop; its checkpoint is saved."""
