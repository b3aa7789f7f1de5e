"""The command ``smart``."""
