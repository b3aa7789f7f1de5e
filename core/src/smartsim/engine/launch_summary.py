"""What ``Experiment.start(summary=True)`` logs before it launches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from smartsim.database.orchestrator import Orchestrator
    from smartsim.engine.manifest import Manifest
    from smartsim.entity.ensemble import Ensemble
    from smartsim.entity.model import Model

__all__ = ["launch_summary"]


def launch_summary(experiment: str, path: str, launcher: str, manifest: Manifest, *, database_active: bool) -> str:
    """Return the text, which starts with two line ends so that it stands apart from the prefix of a log line.

    Args:
        experiment: name of the experiment.
        path: its folder.
        launcher: name of its launcher.
        manifest: what is about to be launched.
        database_active: whether a database of the experiment runs already.
    """
    models, ensembles, databases = manifest.models, manifest.ensembles, manifest.dbs
    lines = ["=== Launch Summary ===", f"Experiment: {experiment}", f"Experiment Path: {path}", f"Launcher: {launcher}"]
    if models:
        lines.append(f"Models: {len(models)}")
    lines += [f"Database Status: {_database_status(databases, database_active)}", ""]
    for title, parts in (
        ("Ensembles", map(_ensemble, ensembles)),
        ("Models", map(_model, models)),
        ("Database", map(_database, databases)),
    ):
        lines += _section(title, parts)
    return "\n\n" + "\n".join(lines)


def _database_status(databases: Sequence[Orchestrator], active: bool) -> str:
    if active:
        return "active"
    return "launching" if databases else "inactive"


def _section(title: str, parts: Iterable[Iterable[str]]) -> Iterator[str]:
    heading = f"=== {title} ==="
    for part in parts:
        if heading:
            yield heading
            heading = ""
        yield from part
        yield ""


def _ensemble(ensemble: Ensemble) -> Iterator[str]:
    yield ensemble.name
    yield f"Members: {len(ensemble)}"
    yield f"Batch Launch: {bool(ensemble.batch_settings)}"
    if ensemble.batch_settings:
        yield str(ensemble.batch_settings)


def _model(model: Model) -> Iterator[str]:
    yield model.name
    if model.batch_settings:
        yield str(model.batch_settings)
    yield str(model.run_settings)
    if model.params:
        yield "Parameters: "
        yield from (f"\t{name} = {value}" for name, value in model.params.items())


def _database(database: Orchestrator) -> Iterator[str]:
    spec = database.spec(0)
    yield f"Shards: {spec.shards}"
    yield f"Port: {', '.join(map(str, spec.ports))}"
    yield f"Network: {list(spec.interfaces)}"
    yield f"Batch Launch: {bool(database.batch_settings)}"
    if database.batch_settings:
        yield str(database.batch_settings)
