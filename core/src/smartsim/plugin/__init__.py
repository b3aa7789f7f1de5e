"""What a plugin author needs: the markers, the version of the hooks, and where plugins are found."""

from __future__ import annotations

from smartsim.plugin.specs import API_VERSION, hookimpl

__all__ = ["API_VERSION", "hookimpl"]
