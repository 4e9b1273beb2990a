"""Any content of a run's files gives a run or a readable error."""

import gc
import json
import shutil
import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from noisejax import _commands, training
from tests.robustness.damages import Damages, read_sealed, write_sealed
from tests.training.tiny import config

READABLE = (*_commands.USER_ERRORS, training.TrainingError)
"""What a command says in a line."""

settings = hypothesis.settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def damages(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Damages(monkeypatch, tmp_path_factory.mktemp("damages"))


@pytest.fixture
def stopped(damages, tmp_path):
    shutil.copytree(damages.folder / "second phase", tmp_path / "run")
    return tmp_path / "run"


def readable(call):
    """Run a function; errors must be of the documented types, with a text."""
    try:
        call()
    except READABLE as error:
        assert str(error)


def paths(tree, prefix=()):
    """Return all paths in a tree of dicts."""
    found = [prefix] if prefix else []
    for name, value in tree.items() if isinstance(tree, dict) else ():
        found += paths(value, (*prefix, name))
    return found


def put(tree, path, value):
    """Return a tree with another value at one path."""
    name, *rest = path
    return {**tree, name: put(tree[name], rest, value) if rest else value}


@settings
@hypothesis.given(data=st.data())
def test_a_configuration(data):
    """Any value in any field is accepted, or rejected with a documented error."""
    values = training.to_dict(config())
    path = data.draw(st.sampled_from(paths(values)))
    changed = put(values, path, data.draw(VALUES))

    def build():
        own = training.from_dict(changed)
        training.check_config(own)

    readable(build)


@settings
@hypothesis.given(
    content=st.binary(max_size=60) | VALUES.map(json.dumps).map(str.encode)
)
def test_a_configuration_file_of_anything(stopped, content):
    (stopped / "config.json").write_bytes(content)
    readable(lambda: training.load_run(stopped))
    shutil.rmtree(stopped / "checkpoints", ignore_errors=True)
    readable(lambda: training.recorded_config(stopped))


@pytest.fixture
def unawaited(monkeypatch):
    """Ignore reads that Orbax closes unawaited if another read fails."""
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    yield
    gc.collect()


@settings
@hypothesis.given(data=st.data())
def test_a_sealed_file_of_other_values(damages, stopped, unawaited, data):
    """The newest checkpoint or config.json changes, with a correct checksum."""
    name = data.draw(st.sampled_from(["config.json", "checkpoints/3.json"]))
    original = read_sealed(damages.folder / "second phase" / name)
    path = data.draw(st.sampled_from(paths(original)))
    write_sealed(stopped / name, put(original, path, data.draw(VALUES)))
    readable(lambda: training.recorded_config(stopped))
    readable(lambda: training.load_run(stopped))
    readable(lambda: training.is_finished(stopped))


def test_sealed_files_of_other_values_are_resumed_or_refused(damages, tmp_path):
    """Each value of the newest checkpoint's file changes in turn."""
    source = damages.folder / "second phase"
    original = read_sealed(source / "checkpoints" / "3.json")
    places = [path for path in paths(original) if path[0] in ("progress", "layout")]
    for number, path in enumerate(places):
        copy = tmp_path / str(number)
        shutil.copytree(source, copy)
        changed = put(original, path, [None, -1, "x", {}][number % 4])
        write_sealed(copy / "checkpoints" / "3.json", changed)
        readable(lambda copy=copy: damages.resume(copy))
