"""Configuration of the documentation: `make docs`."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "ext"))

project = "SmartSim"
copyright = "2026, the SmartSim authors"  # noqa: A001 - the name that Sphinx reads
release = metadata.version("smartsim-core")
version = ".".join(release.split(".")[:2])

extensions = ["generate_pages", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]
source_suffix = {".md": "markdown"}

# Pages. Single backticks in docstrings link to what they name, if it is ours.
default_role = "py:obj"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# API reference.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_display_short_literal_types = True

# Every reference to our own names must lead somewhere. Those to the standard library and to other packages would need
# their inventories, that is a network: they stay plain text.
suppress_warnings = ["ref.python"]  # the builtin `type` is looked for among our attributes of that name: several
nitpick_ignore_regex = [(r"py:.*", r"(?!smartsim[._]).*")]

html_theme = "furo"
html_title = f"SmartSim {release}"
html_copy_source = False
html_show_sourcelink = False
