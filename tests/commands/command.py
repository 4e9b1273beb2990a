"""Runs commands as real processes, which `zygote` makes fast."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

ENVIRONMENT = {"JAX_PLATFORMS": "cpu"}

TINY = ("--config.model.widths=(16,)", "--config.training.batch_size=20")
"""Fields of a network that trains in no time."""


@dataclasses.dataclass(frozen=True)
class Result:
    """Exit status and output of a command."""

    status: int
    output: str

    @property
    def error(self):
        """Error message: the output from the line that begins with "error:"."""
        assert "Traceback" not in self.output, self.output
        assert "error: " in self.output, self.output
        return self.output[self.output.index("error: ") :]


class Runner:
    """Runs one command after another."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ENVIRONMENT},
            cwd=pathlib.Path(__file__).parents[2],
        )
        assert self._answer() == "ready"
        self.count = 0

    def _answer(self):
        return self.process.stdout.readline().strip()

    def run(
        self,
        module,
        *arguments,
        environment=None,
        limit=0,
        kill_after=None,
        kill_with=signal.SIGKILL,
        kill_when=None,
        watch=None,
        kill_at=0,
    ):
        """Runs a command to its end.

        Args:
          module: such as "noisejax.train".
          arguments: of the command line.
          environment: variables besides those of this process.
          limit: bytes that a file may have; 0: any.
          kill_after: seconds after which a signal is sent.
          kill_with: that signal.
          kill_when: sends it as soon as this, called again and again, is true.
          watch: a folder: operations on its files are counted, and printed at the end.
          kill_at: number of the operation there before which the process is killed.
        """
        self.count += 1
        out = self.folder / f"{self.count}.out"
        request = {
            "module": module,
            "arguments": [str(argument) for argument in arguments],
            "environment": environment or {},
            "limit": limit,
            "watch": str(watch or ""),
            "kill_at": kill_at,
            "out": str(out),
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        pid, ended = int(self._answer()), threading.Event()

        def kill():
            if kill_after is not None:
                ended.wait(kill_after)
            while kill_when is not None and not kill_when() and not ended.wait(0.005):
                pass
            if not ended.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, kill_with)

        if kill_after is not None or kill_when is not None:
            threading.Thread(target=kill, daemon=True).start()
        status = int(self._answer())
        ended.set()
        return Result(status, out.read_text(errors="replace"))

    def train(self, *arguments, **options):
        """Runs noisejax.train."""
        return self.run("noisejax.train", *arguments, **options)

    def close(self):
        """Ends the process that commands are forked from."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
