"""The Neovim plugin in a real Neovim without a screen; its recorder plays a talk at the pace of speech."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from bench.live import Server
from tests.client_examples.outside import ALLOWED, EXAMPLES, NOWHERE, error_rate, program
from tests.server.conftest import Serve, serve, wait_for  # noqa: F401

# Writes raw sound as a microphone would give it; the signal that ends a recorder ends it as well.
RECORDER = """
import sys, time
with open(sys.argv[1], "rb") as sound:
    while block := sound.read(3200):
        sys.stdout.buffer.write(block)
        sys.stdout.flush()
        time.sleep(0.1)
"""
# Runs a scenario with what is told and shown being noted, and leaves the outcome in a file.
DRIVER = """
local given = vim.json.decode(vim.env.GIVEN)
local outcome = { told = {}, shown = {} }
vim.notify = function(message) table.insert(outcome.told, message) end
vim.cmd("runtime plugin/stenoline.lua")
local stenoline = require("stenoline")
space = vim.api.nvim_create_namespace("stenoline")
function until_over(when)
  vim.wait(60000, function()
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
      table.insert(outcome.shown, mark[4].virt_text[1][1] .. mark[4].virt_text[2][1])
    end
    return not stenoline.is_listening() or (when and when())
  end, 10)
end
local fine, fault = xpcall(function()
  stenoline.setup(given.settings)
  assert(loadstring(given.script))()
end, debug.traceback)
outcome.fault = not fine and fault or nil
outcome.lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
outcome.cursor = vim.api.nvim_win_get_cursor(0)
outcome.register = vim.fn.getreg('"')
vim.fn.writefile({ vim.json.encode(outcome) }, vim.env.OUTCOME)
vim.cmd("qall!")
"""
DICTATE = "vim.cmd('StenolineStart') until_over() vim.wait(200)"


@dataclass
class Outcome:
    lines: list[str]
    told: list[str]
    shown: list[str]
    cursor: list[int]
    register: str

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def neovim(folder: Path, script: str = DICTATE, key: str = "", **settings: object) -> Outcome:
    """Run a scenario in Lua; the outcome is read from a file, since messages share the other outputs."""
    (folder / "driver.lua").write_text(DRIVER)
    command = [program("nvim", "neovim"), "--headless", "-u", "NONE", "-i", "NONE", "--cmd", f"set rtp^={EXAMPLES / 'neovim'}"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIVEN": json.dumps({"settings": settings, "script": script}),
        "OUTCOME": str(folder / "outcome.json"),
        **({"STENOLINE_API_KEY": key} if key else {}),
    }
    done = subprocess.run([*command, "-c", f"luafile {folder / 'driver.lua'}"], capture_output=True, timeout=120, env=environment)
    outcome = json.loads((folder / "outcome.json").read_text())
    assert "fault" not in outcome, outcome["fault"]
    assert done.returncode == 0 and b"Error" not in done.stderr, done.stderr.decode()
    return Outcome(**{name: outcome[name] or [] for name in Outcome.__dataclass_fields__})


def recorder(sound: Path, folder: Path) -> list[str]:
    """Command that plays a sound file as raw sound."""
    samples, rate = soundfile.read(sound, dtype="int16")
    assert rate == 16_000
    (folder / "sound.raw").write_bytes(samples.tobytes())
    (folder / "recorder.py").write_text(RECORDER)
    return [sys.executable, str(folder / "recorder.py"), str(folder / "sound.raw")]


def test_a_talk_is_written_at_the_cursor(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    script = "vim.api.nvim_buf_set_lines(0, 0, -1, false, {'above', 'left right', 'below'}) vim.fn.cursor(2, 4) " + DICTATE
    played = recorder(talk_opening[0], tmp_path)
    done = neovim(tmp_path, script, url=live.url, language="en", recorder=played)
    assert (done.told, done.lines[0], done.lines[-1], len(done.lines)) == ([], "above", "below", 3)
    written = done.lines[1].removeprefix("left ").removesuffix(" right")
    assert written in done.lines[1] and error_rate(talk_opening[1], written) <= ALLOWED
    assert done.lines[1].startswith("left ") and "  " not in done.lines[1]
    assert done.shown and all(done.shown)
    assert done.cursor == [2, len(f"left {written}") - 1]  # on the last letter


def test_in_insert_mode_typing_goes_on_behind_it(serve: Serve, talk_opening: tuple[Path, str], tmp_path: Path):  # noqa: F811
    played = recorder(talk_opening[0], tmp_path)
    (tmp_path / "sound.raw").write_bytes((tmp_path / "sound.raw").read_bytes()[:96_000])
    settings = tmp_path / "settings.lua"
    settings.write_text(
        f"require('stenoline').setup(vim.json.decode([==[{json.dumps({'url': serve().url(), 'recorder': played})}]==]))"
    )
    nvim, address = program("nvim", "neovim"), str(tmp_path / "nvim.socket")
    command = [nvim, "--headless", "-u", "NONE", "-i", "NONE", "--listen", address, "--cmd", f"set rtp^={EXAMPLES / 'neovim'}"]

    def remote(option: str, text: str) -> str:
        done = subprocess.run([nvim, "--server", address, option, text], capture_output=True, text=True, timeout=20)
        return done.stdout + done.stderr

    listening = """luaeval("require('stenoline').is_listening() and 1 or 0")"""
    editor = subprocess.Popen([*command, "-c", "runtime plugin/stenoline.lua", "-c", f"luafile {settings}"], stdin=subprocess.PIPE)
    try:
        assert wait_for(Path(address).exists)
        remote("--remote-send", "ileft right<Esc>0ea<Cmd>StenolineStart<CR>")
        assert wait_for(lambda: remote("--remote-expr", listening) == "1", tries=200)
        assert wait_for(lambda: remote("--remote-expr", listening) == "0", tries=500)
        remote("--remote-send", "!")
        mode, line = remote("--remote-expr", "mode()"), remote("--remote-expr", "getline(1)")
    finally:
        editor.kill()
        editor.communicate()
    assert mode == "i"
    assert re.fullmatch(r"left [\w. ]+! right", line)


def test_stopped_in_the_middle_what_was_said_is_finished(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    script = """
    vim.cmd("StenolineToggle")
    until_over(function() return #vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {}) > 0 end)
    vim.cmd("StenolineToggle")
    until_over()
    """
    done = neovim(tmp_path, script, url=live.url, language="en", recorder=recorder(talk_opening[0], tmp_path))
    assert done.told == []
    first = done.lines[0].split()[0].lower()
    assert first == talk_opening[1].split()[0].lower()


def test_a_far_server_is_reached_with_a_key(serve: Serve, talk_opening: tuple[Path, str], tmp_path: Path):  # noqa: F811
    running, played = serve(keys=(b"right",)), recorder(talk_opening[0], tmp_path)
    assert "401: a valid API key" in neovim(tmp_path, url=running.url(), recorder=played).told[0]
    (tmp_path / "sound.raw").write_bytes((tmp_path / "sound.raw").read_bytes()[:96_000])
    with_settings = neovim(tmp_path, url=running.url().replace("127.0.0.1", "localhost"), key="right", recorder=played)
    assert with_settings.told == [] and with_settings.text


def test_when_the_text_cannot_be_written_it_is_in_a_register(serve: Serve, talk_opening: tuple[Path, str], tmp_path: Path):  # noqa: F811
    played = recorder(talk_opening[0], tmp_path)
    (tmp_path / "sound.raw").write_bytes((tmp_path / "sound.raw").read_bytes()[:96_000])
    script = "vim.cmd('StenolineStart') vim.bo.modifiable = false until_over() vim.wait(200)"
    done = neovim(tmp_path, script, url=serve().url(), recorder=played)
    assert len(done.told) == 1 and "it is in the register" in done.told[0]
    assert done.register.strip() and done.text == ""


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"url": NOWHERE}, f"{NOWHERE}: no connection: ECONNREFUSED"),
        ({"url": "wss://far.example/v1/stream"}, "expected ws://"),
        ({"url": "ws://nobody.invalid/"}, "no address"),
        ({"recorder": ["no-such-program"]}, "recorder no-such-program cannot be run"),
        ({"recorder": ["sh", "-c", "echo no such card >&2; exit 3"]}, "ended with 3: no such card"),
    ],
)
def test_what_goes_wrong_is_told(serve: Serve, tmp_path: Path, settings: dict[str, object], says: str):  # noqa: F811
    told = neovim(tmp_path, **{"url": serve().url(), "recorder": ["sleep", "2"], **settings}).told
    assert len(told) == 1 and says in told[0]


def test_without_a_recorder_it_says_what_to_install(tmp_path: Path):
    (told,) = neovim(tmp_path, "vim.env.PATH = '/nowhere' " + DICTATE).told
    assert "no recorder was found: install" in told


def test_what_the_server_refuses_is_told(serve: Serve, tmp_path: Path):  # noqa: F811
    done = neovim(tmp_path, url=serve().url(), hotword_lists=["cooking"], recorder=["sleep", "20"])
    assert len(done.told) == 1 and "cooking" in done.told[0]


LONG = "long " * 20_000  # its length takes eight bytes of a frame's head
CONVERSE = f"""
    local got, is_over = {{}}, false
    local url = require("stenoline").settings.url
    local socket
    socket = require("stenoline.websocket").connect(url, {{}}, {{
      open = function() socket:send_text("short") socket:send_binary(string.rep("\\0\\255", 40000)) end,
      message = function(text) table.insert(got, #text < 100 and text or text == string.rep("long ", {len(LONG) // 5})) end,
      closed = function(reason) vim.notify(vim.inspect(got) .. reason) is_over = true end,
    }})
    vim.wait(20000, function() return is_over end, 10)
"""


def test_websocket_in_all_its_forms(tmp_path: Path):
    heard: list[str | bytes | bool] = []

    def converse(peer: ServerConnection) -> None:
        heard.extend([peer.recv(), peer.recv(), peer.ping().wait(20)])
        peer.send(["in", "", " pieces"])
        peer.send(LONG)
        peer.close(1011, "that was all")

    with serve_websockets(converse, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (told,) = neovim(tmp_path, CONVERSE, url=f"ws://127.0.0.1:{server.socket.getsockname()[1]}").told
        server.shutdown()
        thread.join()
    assert heard == ["short", b"\0\xff" * 40_000, True]
    assert told == '{ "in pieces", true }closed with 1011 that was all'


@pytest.mark.parametrize("wrong", ["{ speed = 1 }", "{ url = 1 }", "{ recorder = 'arecord' }"])
def test_a_wrong_setting_is_an_error(tmp_path: Path, wrong: str):
    script = f"local fine, fault = pcall(require('stenoline').setup, {wrong}) vim.notify(fine and 'taken' or fault)"
    (told,) = neovim(tmp_path, script).told
    assert told.startswith("stenoline: ")
