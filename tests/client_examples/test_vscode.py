"""The VS Code extension: types, build and package by the ordinary tools; its protocol code in Node, against real servers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
import soundfile

from bench.live import Server
from tests.client_examples.outside import EXAMPLES, npm_install, program
from tests.server.conftest import Serve, serve  # noqa: F401


@pytest.fixture(scope="session")
def folder() -> Path:
    return npm_install(EXAMPLES / "vscode")


def npm(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [program("npm", "npm"), "run", "--silent", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_protocol_code_in_node(folder: Path, live: Server, serve: Serve, talk_opening: tuple[Path, str], tmp_path: Path):  # noqa: F811
    sound, rate = soundfile.read(talk_opening[0], dtype="int16")
    assert rate == 16_000
    (tmp_path / "sound.raw").write_bytes(sound.tobytes())
    report = npm(
        folder,
        "test",
        STENOLINE_URL=live.url,
        STENOLINE_LOCKED_URL=serve(keys=(b"right",)).url(),
        STENOLINE_SOUND=str(tmp_path / "sound.raw"),
        STENOLINE_TEXT=talk_opening[1],
    )
    counts = dict(re.findall(r"^\W+(\w+) (\d+)$", report, re.M))
    written = sum(path.read_text().count("\ntest(") for path in (folder / "src").glob("*.test.ts"))
    assert (int(counts["pass"]), int(counts["fail"]), int(counts["skipped"])) == (written, 0, 0)


def test_it_becomes_a_package_that_holds_what_it_runs(folder: Path, tmp_path: Path):
    package = tmp_path / "stenoline.vsix"
    npm(folder, "package", "--", "--out", str(package))
    with zipfile.ZipFile(package) as file:
        names = {name.removeprefix("extension/") for name in file.namelist()}
        manifest = json.loads(file.read("extension/package.json"))
        program = file.read(f"extension/{manifest['main']}").decode()
    assert {manifest["main"], "readme.md"} <= names
    assert not any(name.startswith(("node_modules", "src")) or ".test." in name for name in names)
    required = set(re.findall(r'require\("([^"]+)"\)', program))
    builtin = json.loads(npm_modules())
    assert "vscode" in required and required - {"vscode"} <= {*builtin, *(f"node:{name}" for name in builtin), *OPTIONAL}


OPTIONAL = ("bufferutil", "utf-8-validate")  # ws goes without them


def npm_modules() -> str:
    """Names of the modules that Node itself brings."""
    code = "console.log(JSON.stringify(require('node:module').builtinModules))"
    return subprocess.run([program("node", "nodejs"), "-e", code], capture_output=True, text=True, check=True).stdout


def test_commands_and_settings_are_those_of_the_manifest(folder: Path):
    manifest, code = json.loads((folder / "package.json").read_text()), (folder / "src" / "extension.ts").read_text()
    declared = {each["command"] for each in manifest["contributes"]["commands"]}
    assert set(re.findall(r'registerCommand\("([^"]+)"', code)) == declared
    settings = manifest["contributes"]["configuration"]["properties"]
    used = set(re.findall(r'(?:given|getConfiguration\("stenoline"\))\.get(?:<[^>]*>)?\("(\w+)"', code))
    assert {f"stenoline.{name}" for name in used} == set(settings)


def test_a_workspace_chooses_neither_server_nor_program(folder: Path):
    settings = json.loads((folder / "package.json").read_text())["contributes"]["configuration"]["properties"]
    assert {name for name, setting in settings.items() if setting.get("scope") == "machine"} == {
        "stenoline.url",
        "stenoline.recorder",
    }
