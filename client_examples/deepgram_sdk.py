"""Deepgram's own SDK against Stenoline, live or a recording as a whole: only the URL differs.

pip install deepgram-sdk soundfile
python client_examples/deepgram_sdk.py data/talk.flac
python client_examples/deepgram_sdk.py --whole data/talk.flac
"""

import argparse
import os
import sys
import threading
import time

import httpx
import soundfile
import websockets
from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.socket_client import V1SocketClient


def main(options: argparse.Namespace) -> None:
    """One session, or one request."""
    http, ws = options.url.replace("ws", "http", 1), options.url
    here = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    client = DeepgramClient(api_key=options.key, environment=here)
    transcribe(client, options) if options.whole else stream(client, options)


def transcribe(client: DeepgramClient, options: argparse.Namespace) -> None:
    """The recording goes up as it is; its utterances come back at once."""
    with open(options.file, "rb") as file:
        settings = {"language": options.language, "utterances": True, "request_options": {"timeout_in_seconds": 600}}
        found = client.listen.v1.media.transcribe_file(request=file.read(), model="whisper-base", **settings)
    for utterance in found.results.utterances or ():
        print(f"{'final':8}{utterance.start:7.2f}  {utterance.transcript}")


def stream(client: DeepgramClient, options: argparse.Namespace) -> None:
    """The file goes out at the pace of speech."""
    with open(options.file, "rb") as opened, soundfile.SoundFile(opened) as file:
        settings = {"encoding": "linear16", "sample_rate": file.samplerate, "channels": file.channels, "interim_results": True}
        with client.listen.v1.connect(model="whisper-base", language=options.language, **settings) as connection:
            connection.on(EventType.MESSAGE, show)
            connection.on(EventType.ERROR, lambda error: print(f"error: {error}", file=sys.stderr))
            sending = threading.Thread(target=send, args=(connection, file, options.speed), daemon=True)
            sending.start()
            connection.start_listening()  # until the server closes
            sending.join()


def send(connection: V1SocketClient, file: soundfile.SoundFile, speed: float) -> None:
    """A tenth of a second at a time."""
    for block in file.blocks(file.samplerate // 10, dtype="float32"):
        connection.send_media((block.clip(-1, 1) * 32767).astype("<i2").tobytes())
        time.sleep(0.1 / speed)
    connection.send_close_stream()


def show(message: object) -> None:
    """Interim results and finals; the rest is of no interest here."""
    if getattr(message, "type", "") == "Results" and (text := message.channel.alternatives[0].transcript):
        kind = "final" if message.is_final else "interim"
        print(f"{kind:8}{message.start:7.2f}  {text}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Transcribe a sound file with Deepgram's SDK, live or as a whole.")
    parser.add_argument("file", help="WAV, FLAC, OGG; as a whole also MP3, M4A, WebM and others")
    parser.add_argument("--whole", action="store_true", help="one request for the recording, not live")
    parser.add_argument("--url", default="ws://127.0.0.1:8000", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", "none"), help="API key (default: STENOLINE_API_KEY)")
    parser.add_argument("--language", default="multi", help="such as en (default: multi, found from the audio)")
    parser.add_argument("--speed", type=float, default=1.0, help="times the pace of speech (default: 1)")
    arguments = parser.parse_args()
    if not arguments.speed > 0:
        parser.error(f"--speed is {arguments.speed}, expected a number above 0")
    try:
        main(arguments)
    except soundfile.LibsndfileError as error:
        sys.exit(f"error: {arguments.file}: {error.error_string} Expected WAV, FLAC or OGG.")
    except websockets.InvalidStatus as error:
        sys.exit(f"error: {arguments.url}: {error.response.headers.get('dg-error', error)}")
    except ApiError as error:
        sys.exit(f"error: {arguments.url}: {error.body.get('err_msg') if isinstance(error.body, dict) else error}")
    except (OSError, httpx.HTTPError, websockets.WebSocketException) as error:
        sys.exit(f"error: {arguments.file} to {arguments.url}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
