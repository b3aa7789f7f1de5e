"""What the Acme computing centre adds to SmartSim."""
