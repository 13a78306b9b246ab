"""How docs/demo.svg was made: what a live session shows of the bundled talk's first utterance, row by row.

python -m scripts.make_picture
"""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.live import serving
from server.stream import Heard, converse

ROOT = Path(__file__).parent.parent
TALK, PICTURE = ROOT / "data" / "talk.flac", ROOT / "docs" / "demo.svg"
CAPTION = "seconds since the first sample was sent; bright words are stable, dim ones may change, green ones are final"
_FONT_FILES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """A real run at the pace of speech, then the picture."""
    with serving() as server:
        heard = asyncio.run(converse(TALK, server.url, language="en", console=Console()))
    console = Console(record=True, file=io.StringIO(), width=132, color_system="truecolor", force_terminal=True)
    console.print(Text("$ stenoline stream talk.flac", "bold"))
    console.print(*rows(heard), sep="\n", overflow="ellipsis", no_wrap=True)
    console.print(f"\n[dim]{CAPTION}[/]", highlight=False)
    drawn = console.export_svg(title="Stenoline", unique_id="stenoline")
    PICTURE.write_text(_FONT_FILES.sub("", drawn).replace("Fira Code", "ui-monospace, Menlo, Consolas"))


def rows(heard: Heard) -> list[Text]:
    """Each partial, up to the first final."""
    found: list[Text] = []
    for at, message in heard.messages:
        if message["type"] in ("partial", "final") and message["text"]:
            found.append(Text.assemble((f"{at:5.1f} s ", "cyan"), *_words(message)))
            if message["type"] == "final":
                break
    return found


def _words(message: dict[str, Any]) -> list[tuple[str, str]]:
    if message["type"] == "final":
        return [(" " + message["text"], "bold green")]
    return [
        ("".join(w["text"] for w in message["stable"]), "white"),
        ("".join(w["text"] for w in message["unstable"]), "bright_black"),
    ]


if __name__ == "__main__":
    main()
