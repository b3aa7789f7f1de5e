"""How the shards of a database relate to each other, as `SR_DB_TYPE` tells a client."""

from __future__ import annotations

__all__ = ["CLUSTERED", "STANDALONE"]

CLUSTERED = "Clustered"
"""Several shards that form a cluster."""

STANDALONE = "Standalone"
"""One server."""
