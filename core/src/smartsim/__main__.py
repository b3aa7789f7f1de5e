"""``python -m smartsim``: the same as the command ``smart``."""

from __future__ import annotations

import sys

from smartsim.cli.main import main

sys.exit(main())
