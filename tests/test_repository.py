"""The repository itself: what it says, what it holds, and that its parts refer to things that exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGETS = ("setup", "run", "demo", "test", "check", "bench")
LONGEST = 350  # lines of one file of the product
TALK_BYTES = 1_000_000
LOCKS = ("poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml")
# Text that belongs to one machine or one company's mirror; written so that this file does not hold it.
FOREIGN = {
    "a package registry": r"\b(?:pypi|pythonhosted|npmjs)\.(?:org|com|io)\b|--(?:extra-)?index-url|artifactory|/simple/",
    "a path of one machine": r"(?<![\w.:/-])/(?:home|root|Users|work|workspace|opt/pypi\S*)/[\w.]",
}


def output(*command: str) -> str:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # also within `make test`
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=outside).stdout


@cache
def tracked() -> list[Path]:
    """Files of the repository; of an unpacked archive, those of its folders."""
    if (ROOT / ".git").exists():
        return [ROOT / name for name in output("git", "ls-files", "-z").split("\0") if name and (ROOT / name).is_file()]
    ours = [p for p in ROOT.iterdir() if not p.name.startswith(".venv")]
    return [f for p in ours for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file() and "__pycache__" not in f.parts]


def texts() -> list[tuple[str, str]]:
    return [
        (str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in tracked() if p.suffix not in (".flac", ".wav", ".png")
    ]


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def subcommands() -> set[str]:
    done = output(sys.executable, "-m", "server", "--help")
    return set(re.findall(r"^    (\w+)(?: |$)", done, re.M))


# Makefile


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_how(target: str):
    steps = output("make", "--dry-run", "--always-make", target)
    assert "pip install" in steps, "each command sets up first"
    assert "constraints.txt" in steps


def test_make_alone_lists_the_commands():
    listed = {line.split()[0] for line in output("make").splitlines()}
    assert listed >= set(TARGETS)


def test_make_calls_what_exists():
    steps = output("make", "--dry-run", "--always-make", *TARGETS, "clean")
    for module in re.findall(r"python -m ((?:bench|client_examples)\.\w+)", steps):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module
    assert set(re.findall(r"bin/stenoline (\w+)", steps)) <= subcommands()


def test_ci_runs_make_test():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert lines[0].startswith("#!") and lines[-1] == "exec make test"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


# Dockerfile


def instructions() -> list[tuple[str, str]]:
    """(instruction, its arguments) with continued lines joined and comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def of(kind: str) -> list[str]:
    return [arguments for name, arguments in instructions() if name == kind]


def copied() -> set[str]:
    return {source.rstrip("/") for line in of("COPY") for source in [a for a in shlex.split(line) if not a.startswith("--")][:-1]}


def test_the_image_gets_what_the_product_needs():
    packages = {
        name.rstrip("*")
        for name in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert copied() == packages | {"pyproject.toml", "constraints.txt", "Makefile", str(project()["readme"])}
    assert all((ROOT / source).exists() for source in copied())


def test_the_image_leaves_nothing_out_that_it_copies():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not copied() & set(ignored)


def test_the_image_is_built_by_the_makefile():
    assert "make setup EXTRAS=" in of("RUN")
    installed = re.search(r"apt-get install ([^&]*)", " ".join(of("RUN")))
    assert installed and "make" in [word for word in installed[1].split() if not word.startswith("-")]
    steps = output("make", "--dry-run", "--always-make", "setup", "EXTRAS=")
    assert "--editable '.'" in steps and "stenoline prepare" in steps


def test_the_image_runs_as_nobody_in_particular():
    names = [name for name, _ in instructions()]
    (user,) = of("USER")
    assert user.isdigit() and int(user) > 0
    assert f"--uid {user} " in of("RUN")[0]
    assert names.index("USER") < names.index("COPY")


def test_the_image_starts_the_server():
    (entry,), (folder,) = of("ENTRYPOINT"), of("WORKDIR")
    command, *arguments = json.loads(entry)
    assert command == f"{folder}/.venv/bin/{project()['name']}"
    assert project()["scripts"] == {"stenoline": "server.cli:main"}
    assert arguments[0] in subcommands()
    help = output(sys.executable, "-m", "server", arguments[0], "--help")
    assert all(argument in help for argument in arguments if argument.startswith("--"))


def test_the_image_checks_the_health_where_the_server_has_it():
    (check,) = of("HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    compile(command[2], "HEALTHCHECK", "exec")
    url = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", command[2])
    assert url and of("EXPOSE") == [url[1]]
    assert f'"{url[2]}"' in (ROOT / "server/app.py").read_text()
    assert re.search(rf"port: int = .*{url[1].replace('000', '_?000')}", (ROOT / "server/config.py").read_text())


# what is in it


def test_texts_name_no_place_of_their_making():
    found = [
        f"{name}: {what}: {hit[0]}"
        for name, text in texts()
        for what, p in FOREIGN.items()
        if name != "tests/test_repository.py"
        for hit in [re.search(p, text)]
        if hit
    ]
    assert found == []


def test_nothing_is_locked():
    assert [p.name for p in tracked() if p.name in LOCKS] == []


def test_files_are_short():
    long = {
        name: lines
        for name, text in texts()
        if name.split("/")[0] in ("server", "streaming", "model") and (lines := len(text.splitlines())) > LONGEST
    }
    assert long == {}


def test_the_bundled_talk_is_small():
    assert 0 < (ROOT / "data/talk.flac").stat().st_size < TALK_BYTES


def test_every_requirement_is_pinned():
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    wanted = [*project()["dependencies"], *project()["optional-dependencies"]["dev"], "pytest-audioeval"]
    assert {re.split(r"[=<>]", each)[0].lower().replace("_", "-") for each in wanted} <= pinned


# what it says


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def test_links_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_commands_in_the_pages_exist():
    known, targets = subcommands(), set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in pages():
        text = page.read_text()
        code = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text))
        assert set(re.findall(r"^(?:\.venv/bin/)?stenoline (\w+)", code, re.M)) <= known, page
        assert set(re.findall(r"^make (\w+)", code, re.M)) <= targets, page
        for script in re.findall(r"^(?:\.venv/bin/)?python (\S+\.py)", code, re.M):
            assert (ROOT / script).is_file(), f"{page}: {script}"


def test_settings_in_the_readme_exist():
    serve = output(sys.executable, "-m", "server", "serve", "--help")
    readme = (ROOT / "README.md").read_text()
    named = {flag for flag in re.findall(r"`(--[a-z-]+)", readme) if flag not in ("--format",)}
    assert named and {flag for flag in named if not re.search(rf"{flag}\b", serve)} == set()


def test_python_in_the_readme_is_python():
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S):
        compile(code, "README.md", "exec")


def test_the_import_contracts_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
