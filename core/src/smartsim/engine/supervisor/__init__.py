"""The supervisor: one small process that keeps the processes of an experiment, and its clients."""
