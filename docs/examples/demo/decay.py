"""A member of the ensemble: simulates a decay with the rate of its input file and leaves the result in the database."""

import json
import math
import os
from pathlib import Path

from redis import Redis

rate = json.loads(Path("input.json").read_text())["rate"]

amounts = [100 * math.exp(-rate * step) for step in range(10)]

host, port = os.environ["SSDB"].rsplit(":", 1)
database = Redis(host, int(port))
name = os.environ["SSKEYOUT"]
database.rpush(f"{name}.amounts", *amounts)
print(f"{name}: {amounts[-1]:.2f} left")
