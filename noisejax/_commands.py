"""What the commands share: flags of configurations, and errors that people can read."""

import os
import pathlib
import sys
from collections.abc import Callable, Sequence

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from noisejax import training

DEFAULT_CONFIG = pathlib.Path(__file__).parent / "_default_config.py"

USER_ERRORS = (ValueError, TypeError, OSError, training.TrainingError)
"""What is said in a line, without a traceback."""

EXIT_USER_ERROR = 2


def define_config() -> flags.FlagHolder:
    """The flag --config, whose fields are flags: --config.section.field=value."""
    return config_flags.DEFINE_config_file(
        "config",
        str(DEFAULT_CONFIG),
        "FILE[:variant], a Python file whose get_config(variant) returns a "
        "noisejax.training.Config. Fields, set by --config.section.field=value:\n"
        + training.describe(),
    )


def config_of(holder: flags.FlagHolder) -> training.Config:
    """The configuration that the flags make.

    Raises:
      ValueError: the file does not give one.
    """
    try:
        config = holder.value
    except Exception as error:  # whatever the user's file raises
        raise ValueError(f"--config: {error}") from error
    if not isinstance(config, training.Config):
        raise ValueError(
            "--config must name a Python file that exists and whose get_config() gives "
            f"a noisejax.training.Config; got {config!r}"
        )
    return config


def run(main: Callable[[], int | None]) -> None:
    """Runs a command: checks field names, says errors in a line, sets exit codes."""

    def parse(argv: Sequence[str]) -> list[str]:
        try:
            check_fields(argv[1:])
        except ValueError as error:
            _fail(error)
        return app.parse_flags_with_usage(argv)

    def guarded(argv: Sequence[str]) -> int | None:
        try:
            if len(argv) > 1:
                raise ValueError(f"unexpected arguments: {' '.join(argv[1:])}")
            use_compilation_cache()
            if not flags.FLAGS["verbosity"].present:
                logging.set_verbosity(logging.WARNING)  # Orbax tells much
            return main()
        except USER_ERRORS as error:
            return _fail(error)

    app.run(guarded, flags_parser=parse)


def check_fields(arguments: Sequence[str]) -> None:
    """Raises a ValueError for --config.section.field that there is not."""
    for argument in arguments:
        name, _, _ = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name.startswith("config."):
            path = name.removeprefix("config.")
            section, _, field = path.partition(".")
            known = training.to_dict(training.Config())
            if field not in known.get(section, {}):
                raise ValueError(training.unknown_field(path))


def use_compilation_cache() -> None:
    """Compiled programs are kept from run to run, where the user has not chosen."""
    if jax.config.jax_compilation_cache_dir is None:
        root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = pathlib.Path(root).expanduser() / "noisejax" / "xla"
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _fail(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(EXIT_USER_ERROR)
