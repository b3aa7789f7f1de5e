"""`make demo` does what the first screen of the README shows."""

from __future__ import annotations

import re
import subprocess
import sys

from source_tree import ROOT


def without_what_varies(text: str) -> list[str]:
    """The lines of `text` with process numbers, seconds and the width of columns taken out."""
    lines = re.sub(r"\d+\.\d{4}|\d{2,}(?!\.)", "N", text).splitlines()
    return [" ".join(re.sub(r"-{2,}", "--", line).split()) for line in lines if line.strip()]


def test_the_demo_prints_what_the_readme_shows():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "examples" / "demo.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "=== Experiment Overview ===" in done.stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = without_what_varies(readme.split("```text\n")[1].split("```")[0])
    assert without_what_varies(done.stdout)[-len(shown) :] == shown


def test_links_of_the_readme_lead_to_files():
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page} links to {target}"
