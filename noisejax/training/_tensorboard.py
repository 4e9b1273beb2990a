"""Event files for TensorBoard, beside metrics.jsonl."""

import importlib.util
import pathlib
from typing import Any

from noisejax.training._metrics import Row


def require_tensorboard() -> None:
    """Checks that event files can be written.

    Raises:
      ValueError: tensorboardX is not installed.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise ValueError(
            "training.tensorboard=True needs tensorboardX: pip install "
            "'noisejax[tensorboard]'"
        )


class EventFiles:
    """Writes rows of the metrics log as scalars; without a folder, nowhere."""

    def __init__(self, folder: pathlib.Path | None, first_epoch: int):
        """Opens a new event file.

        Args:
          folder: of event files; None: rows are not written.
          first_epoch: that will be written; what older files hold from it on is hidden.
        """
        self._writer: Any = None
        if folder is not None:
            from tensorboardX import SummaryWriter  # optional: only where asked for

            self._writer = SummaryWriter(str(folder), purge_step=first_epoch)

    def write(self, rows: list[Row], epoch: int) -> None:
        """Writes the rows of an epoch, counted over phases."""
        if self._writer is None:
            return
        for row in rows:
            for name in ("loss", "error_percent"):
                if row[name] is not None:
                    tag = f"{row['split']}/{name}/seed_{row['seed']}"
                    self._writer.add_scalar(tag, row[name], epoch)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()
