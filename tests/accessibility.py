"""What axe-core finds wrong with a page, by the rules of WCAG 2.2, levels A and AA."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).parent.parent / "server" / "web" / "node_modules" / "axe-core" / "axe.min.js"
_SETTLED = """() => Promise.allSettled(document.getAnimations().filter(
    each => each.effect.getComputedTiming().endTime < Infinity).map(each => each.finished)).then(() => null)"""
_RUN = """() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(
    found => found.violations.map(
        each => `${each.id}: ${each.help}: ` + each.nodes.map(node => node.html.slice(0, 120)).join(' | ')))"""


def violations(page: Page) -> list[str]:
    """A line each; none is what is wanted. The context needs `bypass_csp`."""
    if not AXE.exists():
        pytest.skip("axe-core is missing: make web")
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=AXE)
    page.evaluate(_SETTLED)  # what is half faded has too little contrast
    found: list[str] = page.evaluate(_RUN)
    return found
