"""Where Chromium is, and what to do where it is not."""

import importlib.util
import os
import shutil
import sys

__all__ = ["HOW_TO_GET_IT", "chromium", "main"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

HOW_TO_GET_IT = (
    "Chromium from your system's packages (apt-get install chromium), or CHROMIUM=<its path>, and "
    "playwright and axe from `make setup-dev`"
)


def chromium() -> str | None:
    """The path of the browser, if it and playwright are there."""
    if importlib.util.find_spec("playwright") is None or importlib.util.find_spec("axe_playwright_python") is None:
        return None
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)


def main() -> int:
    """Say whether the tests in the browser can run; if not, what is not run, and how to get it."""
    if chromium():
        return 0
    print(f"NOT RUN: the tests of the dashboard in a real browser (tests/browser). They need {HOW_TO_GET_IT}.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
