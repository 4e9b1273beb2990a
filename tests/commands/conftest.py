"""Fixture of the process from which all commands are forked."""

import pytest

from tests.commands.command import Runner


@pytest.fixture(scope="session")
def runner(tmp_path_factory):
    runner = Runner(tmp_path_factory.mktemp("commands"))
    yield runner
    runner.close()
