"""System packages that tests drive: a real browser, Node, editors, a screen without a monitor. Installs what is missing.

python -m scripts.system            install what is missing, where that is allowed (root, or sudo without a password)
python -m scripts.system --list     the packages of Debian, in one line
"""

from __future__ import annotations

import argparse
import ctypes.util
import os
import shutil
import subprocess
import sys

# program: package. What cannot be installed is named, and the tests that need it are skipped with the reason.
PACKAGES = {
    "chromium": "chromium",
    "node": "nodejs",
    "npm": "npm",
    "nvim": "neovim",
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "xterm": "xterm",
}
LIBRARIES = {"portaudio": "libportaudio2"}


def main() -> int:
    """Install; gives the exit code, which is 0 also where something could not be had."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--list", action="store_true", help="print the packages and change nothing")
    if options.parse_args().list:
        print(*PACKAGES.values(), *LIBRARIES.values())
        return 0
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    missing += [package for library, package in LIBRARIES.items() if not ctypes.util.find_library(library)]
    if missing:
        _install(missing)
    return 0


def _install(packages: list[str]) -> None:
    rights = _rights()
    if rights is None:
        names = " ".join(packages)
        print(f"missing: {names}; the tests that need them are skipped. To install them: apt-get install {names}")
        return
    print(f"installing {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = [*rights, "apt-get", "--quiet", "--quiet"]
    for command in ([*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{' '.join(command)} failed; tests that need these are skipped:\n{done.stderr.strip()}", file=sys.stderr)
            return


def _rights() -> list[str] | None:
    """What to put before a command that changes the system; None if that is not ours to do."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    may = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    return ["sudo", "-n"] if may else None


if __name__ == "__main__":
    sys.exit(main())
