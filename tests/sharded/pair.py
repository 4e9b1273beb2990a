"""Two local processes that run the same command."""

import concurrent.futures
import pathlib
import socket

from tests.commands.command import Runner

DEVICES = "--xla_force_host_platform_device_count={}"


class Pair:
    """Two processes that are started repeatedly."""

    def __init__(self, folder):
        folders = [pathlib.Path(folder) / f"process_{i}" for i in range(2)]
        for path in folders:
            path.mkdir()
        self.runners = [Runner(path) for path in folders]

    def run(self, module, *arguments, own=((), ()), options=({}, {}), devices=2):
        """Runs a command in both.

        Args:
          module: such as "noisejax.train".
          arguments: of both.
          own: further ones of each.
          options: of `Runner.run`, of each.
          devices: of each.
        """
        coordinator = f"--coordinator=127.0.0.1:{free_port()}"
        environment = {"XLA_FLAGS": DEVICES.format(devices)}

        def run(i):
            return self.runners[i].run(
                module,
                *arguments,
                *own[i],
                coordinator,
                f"--process_id={i}",
                environment=environment,
                **options[i],
            )

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(pool.map(run, range(2)))

    def train(self, *arguments, **options):
        """Run noisejax.train."""
        return self.run(
            "noisejax.train",
            *arguments,
            "--num_processes=2",
            "--join_timeout=60",
            **options,
        )

    def close(self):
        """Stop both processes."""
        for runner in self.runners:
            runner.close()


def free_port():
    """Return a port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
