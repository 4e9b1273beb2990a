"""Run a command, such as `noisejax train --workdir=DIR`, or list all commands."""

import runpy
import sys

COMMANDS = {
    "train": "train a network with noise, or resume it",
    "reproduce": "run the rows of a paper's table or figure",
    "diagnose": "measure a trained network",
    "project": "draw inputs that have the effect of a trained network's noise",
    "plot": "draw the training curves of runs",
    "prepare_data": "prepare a data set of TFDS",
}
"""Purpose of each command, by name of the module."""

USAGE = "\n".join(
    [
        "usage: noisejax COMMAND --flag=value ...",
        "",
        *(f"  {name:13} {purpose}" for name, purpose in COMMANDS.items()),
        "",
        "noisejax COMMAND --help shows the main flags, --helpfull all of them.",
        "python -m noisejax.COMMAND does the same.",
        "",
        "Exit codes: 0 success; 1 a measurement failed; 2 a flag, a field, the data or",
        "the folder is invalid, and nothing was done; 3 training cannot continue;",
        "75 stopped by SIGTERM (continue with --resume); 130 interrupted by Ctrl-C.",
    ]
)


def main() -> int:
    """Run the command that is named on the command line, or print the usage.

    Returns:
      Exit code.
    """
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h", "help"):
        print(USAGE)
        return 0
    if name not in COMMANDS:
        print(f"error: no command {name!r}\n\n{USAGE}", file=sys.stderr)
        return 2
    sys.argv = [f"noisejax {name}", *sys.argv[2:]]
    runpy.run_module(f"noisejax.{name}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
