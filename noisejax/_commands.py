"""Helpers of all commands: configuration flags, and errors without tracebacks."""

import inspect
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from noisejax import data, training

DEFAULT_CONFIG = pathlib.Path(__file__).parent / "_default_config.py"

USER_ERRORS = (ValueError, TypeError, OSError, ImportError, FloatingPointError)
"""Errors that are reported without a traceback."""

EXIT_USER_ERROR = 2
"""A flag, a field, the data or the folder is invalid, and nothing was done."""

EXIT_TRAINING_ERROR = 3
"""Training cannot continue (NaN, or a full disk). The checkpoints are kept."""

EXIT_STOPPED = 75
"""SIGTERM stopped the run, and --resume can continue it (EX_TEMPFAIL)."""

EXIT_INTERRUPTED = 130
"""Ctrl-C interrupted the run. The last checkpoint is kept."""


def define_config() -> flags.FlagHolder:
    """Define --config, and a flag --config.section.field for each field.

    The definition parses the command line, so this function first checks the names of
    the fields.
    """
    try:
        arguments = flags.FLAGS.read_flags_from_files(sys.argv[1:], force_gnu=False)
        check_fields(arguments)
    except (ValueError, flags.Error) as error:
        _fail(error, EXIT_USER_ERROR)
    return config_flags.DEFINE_config_file(
        "config",
        str(DEFAULT_CONFIG),
        "FILE[:variant], a Python file whose get_config(variant) returns a "
        "noisejax.training.Config. Fields, set by --config.section.field=value:\n"
        + training.describe(),
    )


def config_of(
    holder: flags.FlagHolder, *, recorded: training.Config | None = None
) -> training.Config:
    """Return the configuration of the parsed flags, including those of --flagfile.

    Args:
      holder: flag --config.
      recorded: configuration to use if no flag names a file or a field.

    Raises:
      ValueError: the file does not define a configuration.
    """
    given = any(
        flags.FLAGS[name].present
        for name in flags.FLAGS
        if name == holder.name or name.startswith(f"{holder.name}.")
    )
    if recorded is not None and not given:
        return recorded
    config = holder.value
    if not isinstance(config, training.Config):
        reason = f"it gives {config!r}"
        try:
            getattr(config, "data", None)
        except OSError as error:  # the flag stores why a file could not be read
            reason = str(error.__cause__ or error)
        raise ValueError(
            "--config must name a Python file whose get_config() gives a "
            f"noisejax.training.Config: {reason}"
        )
    return config


def run(
    main: Callable[[], int | None] | Callable[[Sequence[str]], int | None],
) -> None:
    """Run a command, and report errors by a line and an exit code.

    Args:
      main: main function of the command. If `main` has a parameter, it receives the
        arguments that are not flags; otherwise such arguments are an error.
    """
    takes_arguments = bool(inspect.signature(main).parameters)

    def parse(argv: Sequence[str]) -> list[str]:
        try:
            rest = flags.FLAGS(argv)
            if len(rest) > 1 and not takes_arguments:
                raise ValueError(f"unexpected arguments: {' '.join(rest[1:])}")
            check_local(rest[1:])
            return rest
        except (ValueError, TypeError, flags.Error) as error:
            cause = _first_cause(error)
            if cause is error or "parsing config file" not in str(error):
                _fail(error, EXIT_USER_ERROR)
            _fail(f"--config cannot be read: {_describe(cause)}", EXIT_USER_ERROR)
        except Exception as error:  # whatever the user's file raises
            _fail(f"--config cannot be read: {_describe(error)}", EXIT_USER_ERROR)

    def guarded(argv: Sequence[str]) -> int | None:
        try:
            use_compilation_cache()
            if not flags.FLAGS["verbosity"].present:
                _quieten_orbax()
            return main(argv[1:]) if takes_arguments else main()
        except training.TrainingStopped as error:
            _fail(error, EXIT_STOPPED)
        except training.TrainingError as error:
            _fail(error, EXIT_TRAINING_ERROR)
        except USER_ERRORS as error:
            _fail(error, EXIT_USER_ERROR)
        except KeyboardInterrupt:
            _fail(
                "interrupted; finished work is kept, so continue with --resume "
                "(noisejax.reproduce: with the same command)",
                EXIT_INTERRUPTED,
            )

    app.run(guarded, flags_parser=parse)


def check_fields(arguments: Sequence[str]) -> None:
    """Check the names of fields in a command line.

    Raises:
      ValueError: a --config.section.field does not exist, or a flag has the form
        --section.field.
    """
    known = training.to_dict(training.Config())
    for argument in arguments:
        name, _, _ = argument.lstrip("-").partition("=")
        path = name.removeprefix("config.")
        section, _, field = path.partition(".")
        exists = field in known.get(section, {})
        if argument.startswith("-") and name != path and not exists:
            raise ValueError(training.unknown_field(path))
        if argument.startswith("--") and name == path and exists:
            raise ValueError(
                f"--{name} is not a flag; flags of fields begin with --config, "
                f"--config.{argument.lstrip('-')}"
            )


def check_local(arguments: Sequence[str]) -> None:
    """Check that no flag of a command and no argument is a URL.

    Raises:
      ValueError: a flag or an argument is a URL.
    """
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith(("absl", "jax", "tensorflow")):
            continue
        for flag in defined:
            value = flag.value if isinstance(flag.value, str) else None
            if flag.name == "config":
                value = flag.config_filename
            if value:
                data.local_path(value, f"--{flag.name}")
    for argument in arguments:
        data.local_path(argument, "an argument")


def use_compilation_cache() -> None:
    """Cache compiled programs on disk, unless the user has configured a cache."""
    if jax.config.jax_compilation_cache_dir is None:
        root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = pathlib.Path(root).expanduser() / "noisejax" / "xla"
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _quieten_orbax() -> None:
    """Hide the logs of Orbax, which include a traceback of every error."""
    logging.set_verbosity(logging.WARNING)
    logging.get_absl_handler().addFilter(
        lambda record: f"{os.sep}orbax{os.sep}" not in record.pathname
    )


def _first_cause(error: BaseException) -> BaseException:
    """Return the first exception in a chain of causes."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return error


def _describe(error: BaseException) -> str:
    """Format the type, message and position of an exception."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kind = "".join(traceback.format_exception_only(error)).strip()
    return f"{kind} ({frame.filename}, line {frame.lineno})"


def _fail(error: object, status: int) -> NoReturn:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(status)
