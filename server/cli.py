"""The command `stenoline`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from model.checkpoint import BadCheckpoint
from model.embedded import EmbeddedModelError
from model.registry import UnknownModel
from server import logs
from server.auth import read_keys
from server.config import PREFIX, BadSetting, Config, described, load

_TEXT_OPTIONS = ("language", "hotwords", "hotword_lists", "script", "spacing", "itn", "fillers", "profanity", "redact")
_MODEL_OPTIONS = ("model", "device", "precision", "encoder_policy", "threads", *_TEXT_OPTIONS)
_FORMATS = ("txt", "json", "srt", "vtt")
_FAULTS = (BadSetting, UnknownModel, BadCheckpoint, EmbeddedModelError, OSError)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with 2 for bad arguments or settings, 1 for a failure, 0 otherwise."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        code: int = options.run(options, console)
    except _FAULTS as error:
        console.print(f"[bold red]error[/] {error}", highlight=False, soft_wrap=True)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stenoline", description="Live transcription: words on the screen while they are spoken.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = _command(commands, "serve", _serve, "serve WebSocket clients", [f.name for f in fields(Config)])
    serve.epilog = f"Each option may also be set in the file given by --config (TOML) or as {PREFIX}NAME in the environment."
    _add_transcribe(_command(commands, "transcribe", _transcribe, "transcribe files, not live", _MODEL_OPTIONS))
    _add_stream(_command(commands, "stream", _stream, "stream a file to a server at the pace of speech", ()))
    _command(commands, "devices", _devices, "list what there is to compute on", ())
    _command(commands, "prepare", _prepare, "write the model's files now instead of at the first start", ("model",))
    return parser


def _command(commands: Any, name: str, run: Any, help: str, options: Sequence[str]) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    command.set_defaults(run=run, names=tuple(options))
    if options:
        command.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML); flags and environment win over it")
    for f in fields(Config):
        if f.name in options:
            _add_option(command, f)
    return command


def _add_option(command: argparse.ArgumentParser, f: Any) -> None:
    flag = "--" + f.name.replace("_", "-")
    shown = "none" if f.default in ("", ()) else str(f.default).lower() if isinstance(f.default, bool) else f.default
    help = f"{f.metadata['help']} (default: {shown})"
    if f.default is False:
        command.add_argument(flag, dest=f.name, action="store_true", default=None, help=help)
    elif f.default is True:
        command.add_argument(flag, dest=f.name, action=argparse.BooleanOptionalAction, default=None, help=help)
    else:
        command.add_argument(flag, dest=f.name, metavar=f.name.split("_")[-1].upper(), help=help)


def _config(options: argparse.Namespace) -> Config:
    flags = {name: getattr(options, name) for name in options.names}
    return load(flags, os.environ, options.config)


def _serve(options: argparse.Namespace, console: Console) -> int:
    config = _config(options)
    logs.configure(config.log_level, config.log_format)
    keys = read_keys(config, os.environ)
    from server.app import Service
    from server.loading import load as load_model
    from server.run import listen, listen_wyoming, run

    with listen(config.host, config.port) as listener, listen_wyoming(config) or nullcontext() as home:
        host, port = listener.getsockname()[:2]
        recognisers = load_model(config, console)
        with console.status("preparing hotwords"):
            service = Service(config, recognisers, keys, home)
        s, place = "s" if config.tls_cert else "", f"{f'[{host}]' if ':' in host else host}:{port}"
        page, url = f"http{s}://{place}/", f"ws{s}://{place}/v1/stream"
        logs.info("settings", **described(config))
        logs.info("listening", page=page, url=url, model=service.engines[0].recogniser.name, sessions=service.admission.capacity)
        run(service, listener)
    return 0


def _add_transcribe(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="audio file: WAV, FLAC, OGG or MP3")
    command.add_argument("--format", choices=_FORMATS, default="txt", help="form of the transcript (default: txt)")
    command.add_argument("--output-dir", type=Path, metavar="DIR", help="write NAME.FORMAT there (default: standard output)")


def _transcribe(options: argparse.Namespace, console: Console) -> int:
    from server.transcribe import transcribe_files

    return transcribe_files(_config(options), options.files, options.format, options.output_dir, console)


def _add_stream(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="audio file: WAV, FLAC, OGG or MP3")
    command.add_argument("--url", default="ws://127.0.0.1:8000/v1/stream", help="server (default: ws://127.0.0.1:8000/v1/stream)")
    command.add_argument(
        "--api-key", default=os.environ.get("STENOLINE_API_KEY", ""), metavar="KEY", help="API key (default: STENOLINE_API_KEY)"
    )
    command.add_argument("--language", default="", help="ISO 639-1 code (default: found from the audio)")
    command.add_argument("--speed", default="1", help="times the pace of speech (default: 1)")


def _stream(options: argparse.Namespace, console: Console) -> int:
    from server.stream import stream_file

    return stream_file(options.file, options.url, options.api_key, options.language, _speed(options.speed))


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed <= 1_000:
        raise BadSetting(f"speed is {text!r}, expected a number above 0, at most 1,000")
    return speed


def _devices(options: argparse.Namespace, console: Console) -> int:
    from model.devices import devices

    table = Table("device", "what it is", "memory")
    for device in devices():
        table.add_row(device.name, device.description, f"{device.memory_bytes / 2**30:.1f} GiB")
    Console().print(table)
    return 0


def _prepare(options: argparse.Namespace, console: Console) -> int:
    from server.loading import prepare

    console.print(f"model: {prepare(_config(options).model, console).name} is ready", highlight=False)
    return 0
