"""Every hook has a page in the documentation and a test named after it."""

from __future__ import annotations

import inspect
import re

from generate_pages import hooks, pages
from source_tree import ROOT


def test_each_hook_has_a_page_with_its_name_and_arguments():
    written = pages()
    for name, specification in hooks().items():
        page = written[f"hooks/{name}.md"]
        assert page.startswith(f"# {name}\n")
        assert f"def {name}({', '.join(inspect.signature(specification).parameters)})" in page


def test_each_hook_says_its_kind_and_explains_its_arguments():
    for name, specification in hooks().items():
        text = inspect.getdoc(specification) or ""
        assert "Kind: " in text.split("\n\n")[0], f"{name}: the first paragraph says the kind"


def test_each_hook_has_a_test():
    folders = [ROOT / "core" / "tests", ROOT / "tests", *ROOT.glob("plugins/*/tests")]
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("test_*.py")]
    tests = [name for text in texts for name in re.findall(r"def test_hook_(?:smartsim_)?(\w+)", text)]
    untested = [name for name in hooks() if not any(test.startswith(name.removeprefix("smartsim_")) for test in tests)]
    assert not untested, f"write a test test_hook_<name> for {untested}"
