"""What a notebook shows, in a real browser: nothing runs, nothing is loaded, and the text has the page's colour."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from smartsim.engine.html import experiment
from smartsim.engine.rows import COLUMNS

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = [
    "<script>window.ran = 1</script>",
    '<img src=x onerror="window.ran = 1">',
    "a & b &amp; c",
    "plain",
    "'\"><b>",
]
PAGE = """<!doctype html><meta charset="utf-8">
<div id="light" style="background:#ffffff;color:rgb(17, 17, 17)">{content}</div>
<div id="dark" style="background:#111111;color:rgb(221, 221, 221)">{content}</div>
<pre id="seen"></pre>
<script>
const look = id => {{
  const cells = [...document.querySelectorAll(`#${{id}} td:first-child`)];
  return {{names: cells.map(cell => cell.textContent), colour: getComputedStyle(cells[0]).color}};
}};
document.getElementById("seen").textContent = JSON.stringify({{
  light: look("light"), dark: look("dark"), ran: window.ran ?? null,
  foreign: document.querySelectorAll("#light :is(script, img, b, link, style)").length,
}});
</script>
"""


@pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="needs a Chromium; .ci/run installs it")
def test_in_a_browser(tmp_path: Path):
    rows = [(name, "Model", "1", "0", "1.0", "Completed", "0") for name in HOSTILE]
    content = experiment(name=HOSTILE[0], path=HOSTILE[1], launcher="local", columns=COLUMNS, rows=rows)
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(content=content), encoding="utf-8")
    dump = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",  # CI runs as root; the page is our own
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    ).stdout
    seen = json.loads(html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', dump, re.DOTALL)[1]))
    assert seen["light"] == {"names": HOSTILE, "colour": "rgb(17, 17, 17)"}
    assert seen["dark"] == {"names": HOSTILE, "colour": "rgb(221, 221, 221)"}
    assert seen["ran"] is None
    assert seen["foreign"] == 0
