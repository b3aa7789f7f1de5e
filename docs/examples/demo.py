"""A database, an Ensemble that writes into it, and a Model that reads it meanwhile: what `make demo` runs."""

import socket
import sys
import tempfile
from pathlib import Path

from smartsim import Experiment
from smartsim.status import SmartSimStatus

PROGRAMS = Path(__file__).parent / "demo"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(folder: str) -> None:
    exp = Experiment("demo", exp_path=folder, launcher="auto")
    database = exp.create_database(port=free_port(), interface="lo")

    # One member for each rate; each gets the program, and the input file with its own rate filled in.
    ensemble = exp.create_ensemble(
        "decay",
        params={"rate": [0.1, 0.2, 0.4]},
        run_settings=exp.create_run_settings(sys.executable, exe_args="decay.py"),
    )
    ensemble.attach_generator_files(to_copy=[str(PROGRAMS / "decay.py")], to_configure=[str(PROGRAMS / "input.json")])

    # Reads what the members write.
    model = exp.create_model("observer", exp.create_run_settings(sys.executable, exe_args="observer.py"))
    model.attach_generator_files(to_copy=[str(PROGRAMS / "observer.py")])
    for member in ensemble.models:
        model.register_incoming_entity(member)

    exp.generate(database, ensemble, model)
    exp.preview(database, ensemble, model)
    exp.start(database)
    try:
        exp.start(ensemble, model, block=True)
    finally:
        exp.stop(database)

    print((Path(model.path) / "observer.out").read_text())
    print(exp.summary())
    if set(exp.get_status(ensemble, model)) != {SmartSimStatus.STATUS_COMPLETED}:
        sys.exit(f"not everything completed: look into {folder}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="smartsim-demo-") as temporary:
        main(temporary)
