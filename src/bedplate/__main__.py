"""The command ``bedplate``, and ``python -m bedplate``."""

import sys

from bedplate import __version__

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Answered here: nothing has to be imported to say this.
    if sys.argv[1:] in (["--version"], ["version"]):
        sys.stdout.write(f"bedplate {__version__}\n")
        return
    from bedplate.wiring.cli.app import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
