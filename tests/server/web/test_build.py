"""What ships is what the sources make, and it is light."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.server.conftest import Running

WEB = Path(__file__).parent.parent.parent.parent / "server" / "web"
STATIC = WEB / "static"
MOST_BYTES = 150_000  # compressed, all views together
NODE = (20, 19)  # Vite's least


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def node_version() -> tuple[int, ...]:
    if not shutil.which("node"):
        return ()
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said))


def test_the_built_files_are_those_of_the_sources(tmp_path: Path):
    if node_version() < NODE:
        pytest.skip(f"Node {'.'.join(map(str, NODE))} or newer is missing: what is built cannot be compared")
    assert (WEB / "node_modules" / "vite").exists(), "make web installs what the build needs"
    for command in (["npx", "tsc", "--noEmit"], ["npx", "vite", "build", "--outDir", str(tmp_path), "--emptyOutDir"]):
        done = subprocess.run(command, cwd=WEB, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert files(tmp_path) == files(STATIC), "run `make web` and commit server/web/static"


def test_the_page_is_light():
    weight = sum(len(gzip.compress(content)) for content in files(STATIC).values())
    print(f"\n{weight:,} bytes compressed")
    assert weight < MOST_BYTES


def test_nothing_comes_from_elsewhere():
    allowed = ("http://www.w3.org/",)  # names, not addresses: namespaces of SVG and MathML
    for name, content in files(STATIC).items():
        found = re.findall(rb"https?://[\w.-]+/?", content)
        assert [url for url in found if not url.decode().startswith(allowed)] == [], name


def test_versions_are_exact():
    package = (WEB / "package.json").read_text()
    assert re.findall(r'": "[\^~*><]', package) == []


def test_every_asset_is_served_compressed_and_told_to_stay(running: Running):
    with urllib.request.urlopen(f"http://{running.address}/") as answer:
        page = answer.read().decode()
    names = re.findall(r'(?:src|href)="\./([^"]+)"', page)
    assert any(name.endswith(".js") for name in names)
    for name in names:
        wanted = urllib.request.Request(f"http://{running.address}/{name}", headers={"accept-encoding": "gzip"})
        with urllib.request.urlopen(wanted) as answer:
            assert gzip.decompress(answer.read()) == (STATIC / name).read_bytes()
            if name.startswith("assets/"):
                assert "immutable" in answer.headers["cache-control"]
