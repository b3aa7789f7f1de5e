"""Describing and generating an ensemble, beside a bare loop that makes the same folders and files.

python benchmarks/generate_members.py [members]
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from smartsim.engine.manifest import Manifest
from smartsim.entity import Ensemble
from smartsim.generation.generator import generate
from smartsim.settings import RunSettings

TEMPLATE = "steps = ;steps;\nseed = ;seed;\n"
DATA = b"0123456789" * 1000


def bare(top: Path, members: int) -> float:
    """A folder with a configured file, a copied file, a link, and a record, for each member."""
    begin = time.perf_counter()
    top.mkdir()
    for index in range(members):
        folder = f"{top}/e_{index}"
        Path(folder).mkdir()
        text = TEMPLATE.replace(";steps;", str(index)).replace(";seed;", "1")
        for name, content in (("input.txt", text.encode()), ("data.bin", DATA), ("record.txt", text.encode())):
            Path(folder, name).write_bytes(content)
        Path(folder, "link").symlink_to("/etc/hosts")
    return time.perf_counter() - begin


def main(members: int) -> dict[str, float]:
    """Measure in turns, keep the best of three of each."""
    settings = RunSettings("echo", ["a", "b"], env_vars={"A": "1"})
    params = {"steps": list(range(members)), "seed": 1}
    result: dict[str, float] = {"members": members}

    begin = time.perf_counter()
    for _ in range(members):
        copy.deepcopy(settings)
    result["deepcopy_settings_s"] = time.perf_counter() - begin
    begin = time.perf_counter()
    Ensemble("e", params, run_settings=settings)
    result["describe_s"] = time.perf_counter() - begin
    tracemalloc.start()
    ensemble = Ensemble("e", params, run_settings=settings)
    result["describe_mb"] = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()

    times: dict[str, list[float]] = {"bare_s": [], "generate_s": []}
    with tempfile.TemporaryDirectory() as place:
        Path(place, "input.txt").write_text(TEMPLATE)
        Path(place, "data.bin").write_bytes(DATA)
        Path(place, "link").touch()
        ensemble.attach_generator_files(
            to_copy=[f"{place}/data.bin"], to_symlink=[f"{place}/link"], to_configure=[f"{place}/input.txt"]
        )
        for turn in range(3):
            times["bare_s"].append(bare(Path(place, f"bare{turn}"), members))
            begin = time.perf_counter()
            generate(f"{place}/exp{turn}", Manifest.of([ensemble]))
            times["generate_s"].append(time.perf_counter() - begin)
    result |= {name: min(values) for name, values in times.items()}
    result["generate_over_bare"] = result["generate_s"] / result["bare_s"]
    return result


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000), indent=2))
