"""Two local processes have the masks and results of one process."""

import json
import re
import signal
import socket
import time

import jax
import numpy as np
import pytest

from noisejax import training
from tests import golden
from tests.commands.command import TINY
from tests.sharded.pair import Pair, free_port

FIELDS = (*TINY, "--config.training.epochs=2", "--config.noise.shift=both")
MESH = "--config.mesh.data=4"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    pair = Pair(tmp_path_factory.mktemp("pair"))
    yield pair
    pair.close()


@pytest.fixture(scope="module")
def run(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    return folder, pair.train(f"--workdir={folder}", *FIELDS, MESH)


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_masks_are_the_golden_ones(pair):
    for result in pair.run("tests.sharded.masks"):
        [line] = re.findall("masks: (.*)", result.output)
        devices, found = json.loads(line)
        assert devices == 4
        assert found == {name: golden.HASHES[name] for name in golden.SCHEMES}


def test_a_run_is_that_of_one_process(run, tmp_path):
    folder, results = run
    assert [result.status for result in results] == [0, 0], results
    alone = tmp_path / "alone"
    config = training.recorded_config(folder)
    config.mesh.data = 1
    training.train(config, alone)
    # The four devices of the run are there for this process, too.
    found, expected = training.load_run(folder), training.load_run(alone)
    for a, b in zip(
        jax.tree.leaves(found.variables),
        jax.tree.leaves(expected.variables),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    pairs = zip(
        training.read_metrics(folder / "metrics.jsonl"),
        training.read_metrics(alone / "metrics.jsonl"),
        strict=True,
    )
    for a, b in pairs:
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4), (a, b)


def test_streamed_examples(pair, run, tmp_path):
    """Each process reads its rows, and the result equals that of resident examples."""
    results = pair.train(
        f"--workdir={tmp_path}", *FIELDS, MESH, "--config.data.stream=stream"
    )
    assert [result.status for result in results] == [0, 0], results
    found, expected = (read(f, "summary.json") for f in (tmp_path, run[0]))
    loss = expected["test_loss"]["mean"]
    assert found["test_loss"]["mean"] == pytest.approx(loss, rel=1e-4)


def test_the_first_process_alone_prints(run):
    _, (first, second) = run
    assert "test error" in first.output
    assert "test error" not in second.output
    assert "epoch" not in second.output


def test_sigterm_to_one_stops_both_and_both_resume(pair, run, tmp_path):
    """Both stop and save at the same epoch; the result equals an undisturbed run."""
    kill = {
        "kill_when": (tmp_path / "config.json").exists,
        "kill_with": signal.SIGTERM,
    }
    stopped = pair.train(f"--workdir={tmp_path}", *FIELDS, MESH, options=({}, kill))
    assert [result.status for result in stopped] == [75, 75], stopped
    for result in stopped:
        assert re.search("stopped by SIGTERM after (epoch|step)", result.error)
    resumed = pair.train(f"--workdir={tmp_path}", "--resume")
    assert [result.status for result in resumed] == [0, 0], resumed
    for name in ("params_sha256", "metrics_sha256"):
        expected = read(run[0], "summary.json")[name]
        assert read(tmp_path, "summary.json")[name] == expected


def test_a_process_that_is_killed_ends_the_other(pair, run, tmp_path):
    """The other stops with a message; the resumed run equals an undisturbed one."""
    kill = {"kill_when": (tmp_path / "config.json").exists}
    began = time.monotonic()
    first, second = pair.train(
        f"--workdir={tmp_path}", *FIELDS, MESH, options=({}, kill)
    )
    assert second.status == -signal.SIGKILL
    assert first.status == 3
    assert "another process ended, or cannot be reached" in first.error
    assert "start them again with --resume" in first.error
    assert time.monotonic() - began < 60  # JAX alone takes 100 s to notice
    resumed = pair.train(f"--workdir={tmp_path}", "--resume")
    assert [result.status for result in resumed] == [0, 0], resumed
    sha = read(run[0], "summary.json")["params_sha256"]
    assert read(tmp_path, "summary.json")["params_sha256"] == sha


def test_processes_that_disagree(pair, tmp_path):
    """Both processes name the difference, and no run starts."""
    results = pair.train(
        f"--workdir={tmp_path / 'run'}",
        *FIELDS,
        MESH,
        own=((), ("--config.noise.hidden_rate=0.3",)),
    )
    message = "noise.hidden_rate is 0.5 in process 0 and 0.3 in process 1"
    for result in results:
        assert result.status == 2
        assert message in result.error
        assert "start all with the same flags" in result.error
    assert not (tmp_path / "run").exists()


def test_a_mesh_of_other_than_all_devices(pair, tmp_path):
    for result in pair.train(f"--workdir={tmp_path / 'run'}", *FIELDS):
        assert result.status == 2
        assert "must be 4, those of 2 processes; got 1 x 1" in result.error


def test_a_folder_in_use_is_an_error_in_both(pair, tmp_path):
    with training.Workdir(tmp_path):
        first, second = pair.train(f"--workdir={tmp_path}", *FIELDS, MESH)
    assert (first.status, second.status) == (2, 2)
    assert "in use by another process" in first.error
    assert "process 0: the workdir" in second.error


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (1, r"did not answer within 1 s \(.*\); is process 0 running"),
        (0, "not all of the 2 processes joined the coordinator at"),
    ],
)
def test_nobody_comes(pair, tmp_path, number, message):
    result = pair.runners[0].train(
        f"--workdir={tmp_path / 'run'}",
        f"--coordinator=127.0.0.1:{free_port()}",
        "--num_processes=2",
        f"--process_id={number}",
        "--join_timeout=1",
    )
    assert result.status == 2
    assert re.search(message, result.error)


def test_a_port_in_use():
    """JAX's server sometimes ends the process here (segmentation fault)."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"cannot listen on port \d+ .* choose"):
            training.join_processes(address, 2, 0)


WRONG = {
    "no port": (("localhost", 2, 0), {}, "host:port of process 0, got 'localhost'"),
    "port": (("localhost:99999", 2, 0), {}, "host:port of process 0"),
    "id": (("localhost:1", 2, 2), {}, r"in \[0, num_processes\), got 2 of 2"),
    "a part": (("localhost:1", None, 0), {}, "go together; got 'localhost:1', None, 0"),
    "timeout": ((), {"timeout": 0}, "1 second or more, got 0"),
    "nothing": ((), {}, "the processes cannot be joined: .*--coordinator=HOST:PORT"),
}


@pytest.mark.parametrize(
    ("arguments", "options", "message"), WRONG.values(), ids=WRONG.keys()
)
def test_processes_that_cannot_be(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        training.join_processes(*arguments, **options)
