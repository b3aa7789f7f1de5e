"""Make the virtual environments that have a real MPI; each needs one of its own, because both install an ``mpirun``.

    python tests/mpi/environments.py [mpich] [openmpi]

prints the folder of commands of each, one a line. What is there already is kept; the tests call this too, so running it
before them only moves the waiting.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "mpich": ["mpich>=5,<6", "mpi4py>=4.1,<5"],
    "openmpi": ["openmpi>=5,<6", "mpi4py>=4.1,<5"],
}


def commands_of(name: str) -> Path:
    """Return the folder with the commands of the MPI called `name`, made if need be.

    Raises:
        subprocess.CalledProcessError: it could not be made; pip's words are on standard error.
    """
    folder = ROOT / f".venv-{name}"
    folder.mkdir(exist_ok=True)
    complete = folder / ".complete"
    wanted = "\n".join([sys.version, *PACKAGES[name]])
    with (folder / ".lock").open("w") as lock:
        # Several test processes may come at once; the others wait for the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_text(encoding="utf-8") != wanted:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *PACKAGES[name]], check=True, stdout=sys.stderr)
            complete.write_text(wanted, encoding="utf-8")
    return folder / "bin"


if __name__ == "__main__":
    for name in sys.argv[1:] or PACKAGES:
        print(commands_of(name))
