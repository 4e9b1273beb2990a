"""Lists the commands, or runs one:  noisejax train --workdir=DIR."""

import runpy
import sys

COMMANDS = {
    "train": "train a network with noise, or resume it",
    "reproduce": "run the rows of a paper's table or figure",
    "diagnose": "measure a trained network",
    "project": "draw what the noise of a trained network is worth in its inputs",
    "plot": "draw the training curves of runs",
    "prepare_data": "prepare a data set of TFDS",
}
"""Name of the module -> what it does."""

USAGE = "\n".join(
    [
        "usage: noisejax COMMAND --flag=value ...",
        "",
        *(f"  {name:13} {purpose}" for name, purpose in COMMANDS.items()),
        "",
        "noisejax COMMAND --help shows the main flags, --helpfull all of them.",
        "python -m noisejax.COMMAND does the same.",
        "",
        "Exit codes: 0 done; 1 a measurement failed; 2 a flag, a field, the data or",
        "the folder is wrong, and nothing was done; 3 training cannot continue;",
        "75 stopped by SIGTERM, continue with --resume; 130 interrupted by Ctrl-C.",
    ]
)


def main() -> int:
    """Run a command; without one, print all of them.

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
