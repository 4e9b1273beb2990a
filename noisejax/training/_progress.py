"""Output of a run on the terminal: a summary at the start, then its progress."""

import datetime
import sys
import time
from types import TracebackType
from typing import Any

import jax
from tqdm import tqdm

from noisejax.training._config import Config
from noisejax.training._processes import is_first
from noisejax.training._program import Program
from noisejax.training._state import Seeds

SECONDS = 10.0
"""Time between lines where there is no terminal, unless an epoch takes longer."""


def announce(config: Config, program: Program, seeds: Seeds) -> None:
    """Print to stderr what will be trained, and on what."""
    if not is_first():
        return
    count = sum(a[0].size for a in jax.tree.leaves(seeds.state.params))
    rates = f"input {config.noise.input_rate:g}, hidden {config.noise.hidden_rate:g}"
    noise = config.noise.scheme
    if noise != "none":
        noise = f"{noise} ({rates}), S = {config.objective.num_samples}"
    if config.noise.path_rate:
        noise += f", drop path {config.noise.path_rate:g}"
    steps = " + ".join(f"{p.epochs} x {p.batches.steps}" for p in program.phases)
    devices = config.mesh.data * config.mesh.samples
    kind = jax.devices()[0].device_kind
    print(
        f"train {config.model.name}, {count:,} parameters, on {config.data.name}; "
        f"noise: {noise}; seeds: {len(program.seed_numbers)}; epochs x steps: {steps}; "
        f"devices: {devices} x {kind}",
        file=sys.stderr,
        flush=True,
    )


class EpochProgress:
    """A progress bar on a terminal; elsewhere a line at least every ten seconds."""

    def __init__(self, name: str, *, epochs: int, done: int, examples: int):
        """Start to show a phase.

        Args:
          name: name of the phase.
          epochs: number of its epochs.
          done: number of finished epochs.
          examples: number of examples that an epoch trains on, seeds included.
        """
        self._name, self._epochs, self._done = name, epochs, done
        self._examples, self._since, self._trained = examples, time.monotonic(), 0
        self._bar: Any = None
        self._shows = is_first()
        if self._shows and sys.stderr.isatty():
            self._bar = tqdm(total=epochs, initial=done, desc=name, unit="epoch")

    def update(self, epochs: int, text: str) -> None:
        """Show that more epochs are finished, with their loss and error."""
        self._done, self._trained = self._done + epochs, self._trained + epochs
        if self._bar is not None:
            self._bar.set_postfix_str(text)
            self._bar.update(epochs)
            return
        seconds = time.monotonic() - self._since
        is_due = seconds >= SECONDS or self._done >= self._epochs
        if not (self._shows and is_due):
            return
        speed = self._trained * self._examples / max(seconds, 1e-9)
        line = f"{self._name}: epoch {self._done}/{self._epochs}, {text}"
        line += f", {speed:,.0f} examples/s"
        left = (self._epochs - self._done) * seconds / self._trained
        if left > 0:
            line += f", {datetime.timedelta(seconds=round(left))} left"
        print(line, file=sys.stderr, flush=True)
        self._since, self._trained = time.monotonic(), 0

    def __enter__(self) -> "EpochProgress":
        """Return the progress itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
