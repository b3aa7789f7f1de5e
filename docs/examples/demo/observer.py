"""The model: waits for what the members of the ensemble put into the database while they run, and compares it."""

import os

from redis import Redis

host, port = os.environ["SSDB"].rsplit(":", 1)
database = Redis(host, int(port), decode_responses=True)

for member in os.environ["SSKEYIN"].split(","):
    key = f"{member}.amounts"
    database.blmove(key, key, timeout=60)  # takes the first value and puts it back, as soon as there is one
    amounts = sorted(map(float, database.lrange(key, 0, -1)), reverse=True)
    print(f"{member} went from {amounts[0]:.2f} to {amounts[-1]:.2f}")
