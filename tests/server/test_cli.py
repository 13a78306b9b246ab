"""The command line: what a stranger types, and what comes back when it is wrong."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli import main
from server.config import Config


def stenoline(*arguments: str, code: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Standard output and error of the command."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code
    return capsys.readouterr()


def test_the_installed_command():
    done = subprocess.run([Path(sys.executable).parent / "stenoline", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and all(name in done.stdout for name in ("serve", "transcribe", "stream", "devices", "prepare"))


@pytest.mark.parametrize("command", ["serve", "transcribe", "stream"])
def test_every_option_has_a_help_line_with_its_default(command: str, capsys: pytest.CaptureFixture[str]):
    out, _ = stenoline(command, "--help", code=0, capsys=capsys)
    options = re.split(r"\n  (?=-)", out.split("options:")[1])[1:]
    assert len(options) > 4
    for option in options:
        text = " ".join(option.split())
        assert "(default: " in text or text.startswith(("-h", "--config")), text


def test_every_setting_is_an_option(capsys: pytest.CaptureFixture[str]):
    out, _ = stenoline("serve", "--help", code=0, capsys=capsys)
    assert all(f"--{name.replace('_', '-')}" in out for name in Config.__dataclass_fields__)
    assert "STENOLINE_NAME" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("serve", "--port", "99999"), "port is 99999, expected 0 to 65,535"),
        (("serve", "--model", "gpt-4o", "--port", "0"), "model 'gpt-4o' is not known: expected"),
        (("serve", "--device", "tpu", "--port", "0"), "device 'tpu'"),
        (("serve", "--host", "0.0.0.0"), "give --api-key-file"),
        (
            ("serve", "--port", "0", "--wyoming-port", "5", "--wyoming-host", "0.0.0.0", "--model", "none"),
            "wyoming_host is 0.0.0.0",
        ),
        (("serve", "--config", "/no/such.toml"), "config file /no/such.toml cannot be read: No such file"),
        (("serve", "--api-key-file", "/no/such"), "api_key_file /no/such cannot be read"),
        (("serve", "--precision", "int4"), "precision is 'int4', expected one of auto, int8"),
        (("transcribe", "a.wav", "--model", "/no/such/model"), "model '/no/such/model' is not known"),
        (("prepare", "--model", "nothing"), "model 'nothing' is not known"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]):
    _, err = stenoline(*arguments, code=2, capsys=capsys)
    assert message in err and err.count("\n") == 1 and err.startswith("error ")


@pytest.mark.parametrize("arguments", [(), ("sing",), ("serve", "--sing"), ("transcribe",), ("transcribe", "a", "--format", "doc")])
def test_a_wrong_command_shows_the_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    _, err = stenoline(*arguments, code=2, capsys=capsys)
    assert "usage: stenoline" in err


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, err = stenoline("serve", "--port", port, code=2, capsys=capsys)
    assert "in use" in err and port in err


def test_a_port_of_wyoming_that_is_taken_is_named_before_the_model_is_looked_for(capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        _, err = stenoline("serve", "--port", "0", "--wyoming-port", port, "--model", "none", code=2, capsys=capsys)
    assert "in use" in err and f"wyoming_port {port}" in err and err.count("\n") == 1


def test_an_address_that_is_none_is_named(capsys: pytest.CaptureFixture[str]):
    _, err = stenoline("serve", "--host", "no.such.host.invalid", "--insecure", "--port", "0", code=2, capsys=capsys)
    assert "no.such.host.invalid" in err


def test_devices(capsys: pytest.CaptureFixture[str]):
    out, _ = stenoline("devices", code=0, capsys=capsys)
    assert "cpu" in out and "cores" in out and "GiB" in out


def test_prepare(capsys: pytest.CaptureFixture[str]):
    _, err = stenoline("prepare", code=0, capsys=capsys)
    assert re.search(r"model: whisper-base-\w+ is ready", err)


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast"])
def test_a_pace_that_is_none(speed: str, capsys: pytest.CaptureFixture[str]):
    _, err = stenoline("stream", "a.wav", "--speed", speed, code=2, capsys=capsys)
    assert "speed" in err and "expected" in err


def test_help_does_not_wait_for_torch():
    script = "import sys; from server.cli import main\ntry: main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().endswith("False"), done.stderr
