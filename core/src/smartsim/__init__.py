"""SmartSim: run simulations together with AI on supercomputers and laptops.

```python
from smartsim import Experiment
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartsim.experiment import Experiment as Experiment

__all__ = ["Experiment"]

__version__ = "1.0.0"


def __getattr__(name: str) -> Any:
    # Lazy, so that the supervisor can import its own modules without paying for the rest.
    if name == "Experiment":
        from smartsim.experiment import Experiment

        return Experiment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
