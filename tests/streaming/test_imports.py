"""The core decides; it must not drag in what computes, nor what waits."""

import subprocess
import sys

CHECK = """
import sys, pkgutil, importlib, streaming
for module in pkgutil.walk_packages(streaming.__path__, "streaming."):
    importlib.import_module(module.name)
import model.scripted
print(*sorted(name for name in ("torch", "transformers", "asyncio", "starlette", "server") if name in sys.modules))
"""


def test_the_core_is_imported_without_torch_and_asyncio():
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
