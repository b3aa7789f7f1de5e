"""SmartSim: run simulations together with AI on supercomputers and laptops.

```python
from smartsim import Experiment
```
"""

from __future__ import annotations

# Not imported from typing: the supervisor imports this package too, and typing alone would double its start-up.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from smartsim.experiment import Experiment as Experiment

__all__ = ["Experiment"]

__version__ = "1.0.0"


def __getattr__(name: str) -> Any:
    if name == "Experiment":
        from smartsim.experiment import Experiment

        return Experiment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
