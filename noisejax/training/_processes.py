"""Helpers for multi-process runs, on top of `jax.distributed`.

Each process runs the same program on its local devices. Process 0 writes files. An
error in one process is raised in all processes, so that no process waits forever.
"""

import contextlib
import itertools
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Array, PyTree

T = TypeVar("T")


class TrainingError(RuntimeError):
    """Training cannot continue. The last checkpoint is kept."""


class ProcessLost(TrainingError):
    """Another process ended, so the run can neither continue nor shut down cleanly."""


class TrainingStopped(TrainingError):
    """SIGTERM stopped the training, after a checkpoint was saved."""


ERRORS = (TrainingStopped, TrainingError, FileNotFoundError, TypeError, ValueError)
"""Error types that every process raises again; other errors become ValueErrors."""


def join_processes(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout: int = 300,
) -> None:
    """Join this process to a multi-process run.

    Call this function before JAX computes anything. Without arguments, JAX detects the
    cluster (SLURM, Open MPI, Kubernetes, or TPUs).

    Args:
      coordinator: address "host:port" of process 0, the same in all processes.
      num_processes: number of processes.
      process_id: number of this process, counted from 0.
      timeout: seconds within which all processes must join.

    Raises:
      ValueError: an argument is invalid, the port is in use, or JAX detects no
        cluster.
      TimeoutError: the coordinator or another process did not join in time.

    Example:
      >>> from noisejax import training
      >>> training.join_processes("10.0.0.1", num_processes=2, process_id=0)
      Traceback (most recent call last):
      ValueError: the coordinator must be host:port of process 0, got '10.0.0.1'
    """
    _check_address(coordinator, num_processes, process_id, timeout)
    if process_id == 0:
        _check_port(coordinator)
    raised: list[Exception] = []

    def join():
        try:
            # At JAX's timeout the process ends with a stack trace, so `timeout` is
            # shorter.
            jax.distributed.initialize(
                coordinator,
                num_processes,
                process_id,
                initialization_timeout=timeout + 60,
            )
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise TimeoutError(_missing(coordinator, num_processes, process_id, timeout))
    if raised:
        raise ValueError(
            f"the processes cannot be joined: {raised[0]}; give --coordinator=HOST:PORT"
            ", --num_processes and --process_id"
        ) from raised[0]


def wait_on_cpus(values: PyTree[Array]) -> None:
    """Wait for arrays if several processes run on CPUs.

    A CPU may run two programs with collectives at the same time. If two processes run
    the programs in different orders, the processes deadlock.
    """
    if jax.process_count() > 1 and jax.default_backend() == "cpu":
        jax.block_until_ready(values)


def is_first() -> bool:
    """Return True in process 0, which writes files and prints."""
    return jax.process_index() == 0


@contextlib.contextmanager
def stop_on_sigterm() -> Iterator[Callable[[], bool]]:
    """Catch SIGTERM, and yield a function that returns True once the run must stop.

    All processes must call the function equally often, so that all stop at the same
    call. With several processes, JAX catches the signal. With one process, only the
    main thread can catch the signal; in other threads the function returns False.
    """
    if jax.process_count() > 1:
        calls = itertools.count()
        yield lambda: multihost_utils.reached_preemption_sync_point(next(calls))
        return
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signals: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    try:
        yield lambda: bool(signals)
    finally:
        # Python cannot restore a handler that C code has installed (None).
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def notice_lost() -> Iterator[None]:
    """Convert run-time errors of JAX to a TrainingError or a ProcessLost."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            raise TrainingError(
                f"a device's memory is full: {error}; use more training.microbatches, "
                "a smaller training.batch_size, or data.stream=stream. The last "
                "checkpoint is kept"
            ) from error
        if jax.process_count() == 1:
            raise
        raise ProcessLost(
            f"another process ended, or cannot be reached: {error}; the last "
            "checkpoint is kept: end all processes, and start them again with --resume"
        ) from error


def on_host(tree: PyTree[Array]) -> PyTree[np.ndarray]:
    """Fetch arrays as NumPy arrays, including arrays sharded over processes."""

    def gather_shards(leaf):
        if isinstance(leaf, jax.Array) and not (
            leaf.is_fully_addressable or leaf.is_fully_replicated
        ):
            return multihost_utils.process_allgather(leaf, tiled=True)
        return leaf

    return jax.device_get(jax.tree.map(gather_shards, tree))


def run_jointly(function: Callable[[], T], *, first_only: bool = False) -> T | None:
    """Call a function in all processes, or in process 0 only.

    If the call fails in one process, every process raises an error of `ERRORS` with
    the message of the failed process.
    """
    if jax.process_count() == 1:
        return function()
    value, error = None, None
    try:
        if is_first() or not first_only:
            value = function()
    except Exception as caught:
        error = caught
    kinds = [i for i, kind in enumerate(ERRORS) if isinstance(error, kind)]
    report = None if error is None else [min(kinds, default=-1), str(error)]
    failed = [(i, other) for i, other in enumerate(gather(report)) if other]
    if error is not None:
        raise error
    if failed:
        i, (kind, message) = failed[0]
        raise ERRORS[kind](f"process {i}: {message}")
    return value


def first_value(function: Callable[[], T]) -> T:
    """Call a function in process 0, and return its JSON-like value everywhere."""
    return gather(run_jointly(function, first_only=True))[0]


def gather(value: Any) -> list[Any]:
    """Gather the JSON-like values of all processes."""
    if jax.process_count() == 1:
        return [value]
    encoded = json.dumps(value).encode()
    sizes = multihost_utils.process_allgather(np.int32(len(encoded)))
    # Powers of two, since each size compiles a program.
    buffer_size = 1 << max(int(sizes.max()) - 1, 255).bit_length()
    padded = np.frombuffer(encoded.ljust(buffer_size, b" "), np.uint8)
    rows = multihost_utils.process_allgather(padded)
    return [json.loads(row.tobytes()) for row in rows]


def check_agreed(run: dict[str, dict[str, Any]]) -> None:
    """Check that all processes have the same configuration and the same command.

    Raises:
      ValueError: two processes differ.
    """
    if jax.process_count() == 1:
        return
    counts = gather(jax.local_device_count())
    if len(set(counts)) > 1:
        raise ValueError(
            f"all processes must have the same number of devices, they have {counts}"
        )
    runs = gather(json.loads(json.dumps(run, default=repr)))
    differences = [
        f"{section}.{name} is {runs[0][section].get(name)!r} in process 0 and "
        f"{other[section].get(name)!r} in process {i}"
        for i, other in enumerate(runs)
        for section in runs[0]
        for name in runs[0][section]
        if other[section].get(name) != runs[0][section].get(name)
    ]
    if differences:
        raise ValueError(
            f"the processes disagree on the run: {'; '.join(differences)}; start all "
            "with the same flags"
        )


def _check_address(coordinator, num_processes, process_id, timeout) -> None:
    given = (coordinator, num_processes, process_id)
    if timeout < 1:
        raise ValueError(f"the timeout must be 1 second or more, got {timeout}")
    if all(value is None for value in given):
        return
    if any(value is None for value in given):
        raise ValueError(
            "coordinator, num_processes and process_id go together; got "
            f"{coordinator!r}, {num_processes!r}, {process_id!r}"
        )
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(
            f"the coordinator must be host:port of process 0, got {coordinator!r}"
        )
    if not 0 <= process_id < num_processes:
        raise ValueError(
            f"process_id must be in [0, num_processes), got {process_id} of "
            f"{num_processes}"
        )


def _check_port(coordinator: str) -> None:
    """Check that process 0 can listen on the port; otherwise JAX 0.10.2 may crash."""
    port = int(coordinator.rpartition(":")[2])
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except OSError as error:
            raise ValueError(
                f"process 0 cannot listen on port {port} of this machine: {error}; "
                "choose another for --coordinator"
            ) from error


def _missing(coordinator, num_processes, process_id, timeout) -> str:
    """Explain which process failed to join."""
    if coordinator is None:
        return f"not all processes joined within {timeout} s"
    if process_id == 0:
        return (
            f"not all of the {num_processes} processes joined the coordinator at "
            f"{coordinator} within {timeout} s; start each with its own process_id"
        )
    host, _, port = coordinator.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError as error:
        return (
            f"the coordinator at {coordinator} did not answer within {timeout} s "
            f"({error}); is process 0 running, and reachable from here?"
        )
    return (
        f"the coordinator at {coordinator} answers, but not all of the "
        f"{num_processes} processes joined within {timeout} s"
    )
