"""The launcher for the machine that the driver runs on."""
