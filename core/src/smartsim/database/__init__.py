"""In-memory databases that the parts of a workflow talk to."""

from __future__ import annotations

from smartsim.database.orchestrator import Orchestrator

__all__ = ["Orchestrator"]
