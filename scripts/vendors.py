"""Environments of the contract suite's clients, under .vendors/: made once, made anew when their pins change.

python -m scripts.vendors [NAME ...]            make what is missing
python -m scripts.vendors --freeze [NAME ...]   make without pins, then write tests/vendors/constraints/NAME.txt
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".vendors"
_PINS = ROOT / "tests" / "vendors"
_AT_ONCE = 2


def main() -> int:
    """Make them; gives the exit code."""
    known = environments()
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)} (default: all)")
    options.add_argument("--freeze", action="store_true", help="take the newest of what they pull in, and pin it")
    given = options.parse_args()
    if unknown := sorted(set(given.names) - set(known)):
        options.error(f"unknown name {unknown[0]!r}, expected some of {', '.join(known)}")
    wanted = [name for name in given.names or known if given.freeze or not is_ready(name)]
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        faults = [fault for fault in pool.map(lambda name: _make(name, freeze=given.freeze), wanted) if fault]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def environments() -> dict[str, list[str]]:
    """Requirements by name."""
    content = tomllib.loads((_PINS / "environments.toml").read_text())
    return {name: table["requirements"] for name, table in content.items()}


def python_of(name: str) -> Path:
    """Its interpreter."""
    return HOME / name / "bin" / "python"


def is_ready(name: str) -> bool:
    """Made with the pins of now."""
    stamp = HOME / name / "pins"
    return stamp.exists() and stamp.read_text() == _digest(name)


def _digest(name: str) -> str:
    pins = _pins(name)
    text = "\n".join([*environments()[name], pins.read_text() if pins.exists() else "", sys.version])
    return hashlib.sha256(text.encode()).hexdigest()


def _pins(name: str) -> Path:
    return _PINS / "constraints" / f"{name}.txt"


def _make(name: str, *, freeze: bool) -> str:
    """Empty, or what went wrong."""
    started, folder = time.monotonic(), HOME / name
    print(f"vendors: installing {name}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pins = [] if freeze or not _pins(name).exists() else ["--constraint", str(_pins(name))]
    command = [str(python_of(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins, *environments()[name]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return f"vendors: {name} could not be installed:\n{done.stderr.strip()}"
    if freeze:
        _freeze(name)
    (folder / "pins").write_text(_digest(name))
    print(f"vendors: {name} is ready after {time.monotonic() - started:.0f} s", flush=True)
    return ""


def _freeze(name: str) -> None:
    command = [str(python_of(name)), "-m", "pip", "freeze", "--exclude", "pip", "--exclude", "setuptools"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    _pins(name).write_text("".join(f"{line}\n" for line in lines if "==" in line))


if __name__ == "__main__":
    sys.exit(main())
