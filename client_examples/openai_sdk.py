"""OpenAI's own SDK against Stenoline, a recording as a whole or live: only the URL differs.

pip install 'openai[realtime]'
python client_examples/openai_sdk.py data/talk.flac
python client_examples/openai_sdk.py --live talk.wav
"""

import argparse
import asyncio
import base64
import os
import sys
import wave

from openai import AsyncOpenAI, OpenAI, OpenAIError
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets import WebSocketException

RATES = (8_000, 16_000, 24_000, 48_000)  # Hz
HEARD = "conversation.item.input_audio_transcription."


def transcribe(options: argparse.Namespace) -> None:
    """The recording goes up; its text comes as it is found."""
    client = OpenAI(api_key=options.key, base_url=options.url)
    with open(options.file, "rb") as file:
        language = {"language": options.language} if options.language else {}
        for event in client.audio.transcriptions.create(file=file, model="whisper-1", stream=True, **language):
            if event.type == "transcript.text.delta":
                print(event.delta, end="", flush=True)
    print()


async def stream(options: argparse.Namespace) -> None:
    """The file goes out at the pace of speech, as one turn that ends when all is sent."""
    client = AsyncOpenAI(api_key=options.key, base_url=options.url, websocket_base_url=options.url.replace("http", "ws", 1))
    with wave.open(options.file) as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2 or file.getframerate() not in RATES:
            raise wave.Error("another kind of WAV")
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            audio = {"format": {"type": "audio/pcm", "rate": file.getframerate()}, "turn_detection": None}
            audio["transcription"] = {"model": "whisper-1", "language": options.language or None}
            await connection.session.update(session={"type": "transcription", "audio": {"input": audio}})
            await asyncio.gather(send(connection, file, options.speed), receive(connection))


async def send(connection: AsyncRealtimeConnection, file: wave.Wave_read, speed: float) -> None:
    """A tenth of a second at a time, then a commit."""
    while block := file.readframes(file.getframerate() // 10):
        await connection.input_audio_buffer.append(audio=base64.b64encode(block).decode())
        await asyncio.sleep(0.1 / speed)
    await connection.input_audio_buffer.commit()


async def receive(connection: AsyncRealtimeConnection) -> None:
    """Deltas as they come, until what was committed is complete. Raises ValueError with what the server says is wrong."""
    async for event in connection:
        if event.type == HEARD + "delta":
            print(event.delta, end="", flush=True)
        elif event.type == HEARD + "completed":
            return print()
        elif event.type in (HEARD + "failed", "error"):
            raise ValueError(event.error.message)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Transcribe a sound file with OpenAI's SDK, as a whole or live.")
    parser.add_argument("file", help="as a whole: WAV, MP3, FLAC and others; live: a mono WAV")
    parser.add_argument("--live", action="store_true", help="over the Realtime API, at the pace of speech")
    parser.add_argument("--speed", type=float, default=1.0, help="live: times the pace of speech (default: 1)")
    parser.add_argument("--language", default="", help="such as en (default: found from the audio)")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1", help="default: %(default)s")
    parser.add_argument("--key", default=os.environ.get("STENOLINE_API_KEY", "none"), help="API key (default: STENOLINE_API_KEY)")
    arguments = parser.parse_args()
    if not arguments.speed > 0:
        parser.error(f"--speed is {arguments.speed}, expected a number above 0")
    try:
        asyncio.run(stream(arguments)) if arguments.live else transcribe(arguments)
    except (EOFError, wave.Error) as error:
        expected = f"expected a mono WAV of 16 bits at {RATES} Hz: ffmpeg -i IN -ac 1 -ar 24000 OUT.wav"
        sys.exit(f"error: {arguments.file}: {str(error) or 'it is empty'}; {expected}")
    except (OSError, ValueError, OpenAIError, WebSocketException) as error:
        sys.exit(f"error: {arguments.file} to {arguments.url}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
