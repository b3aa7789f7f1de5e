"""The built-in plugin that renders previews as plain text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from smartsim.plugin import API_VERSION, hookimpl
from smartsim.preview.options import Format, Verbosity
from smartsim.preview.words import assignment, command_line, one_line
from smartsim.values import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from smartsim.preview.value import (
        BatchPreview,
        ClientPreview,
        ColocatedPreview,
        DatabasePreview,
        EnsemblePreview,
        MLModelPreview,
        ModelPreview,
        PlanPreview,
        Preview,
        ScriptPreview,
    )

__all__ = ["plain_text", "plugin"]

_WRAP_COLUMNS = 150
_MEMBERS_IN_FULL = 2


class _PlainText:
    """Renders the format ``plain_text``."""

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        return PluginInfo(name="plain-text-preview", kind="extension", api=API_VERSION)

    @hookimpl
    def smartsim_render_preview(self, preview: Preview, verbosity: str, output_format: str) -> str | None:
        if output_format != Format.PLAINTEXT.value:
            return None
        return plain_text(preview, Verbosity.parse(verbosity))


plugin = _PlainText()
"""What the entry point of this distribution names."""


def plain_text(preview: Preview, verbosity: Verbosity) -> str:
    """Return the plain text of a preview, without a line end after the last line.

    A value never breaks its line: a character that cannot be printed is shown as Python writes it in a string.
    """
    return "\n".join(_Layout(verbosity).document(preview))


# --- lines -----------------------------------------------------------------------------------------------------------


def _field(indent: int, title: str, value: object) -> str:
    return f"{' ' * indent}{title}: {one_line(value)}"


def _list(indent: int, title: str, values: Iterable[object]) -> Iterator[str]:
    yield f"{' ' * indent}{title}:"
    for value in values:
        yield f"{' ' * (indent + 2)}{one_line(value)}"


def _options(title: str, options: Mapping[str, str | None], separator: str) -> Iterator[str]:
    if options:
        named = (name if value is None else f"{name}{separator}{value}" for name, value in options.items())
        yield from _list(8, title, named)


def _section(title: str, items: Sequence[Iterable[str]]) -> Iterator[str]:
    if items:
        yield from ("", f"  == {title} ==")
    for item in items:
        yield ""
        yield from item


# --- parts that look the same whenever they are shown ----------------------------------------------------------------


def _active(database: DatabasePreview) -> Iterator[str]:
    yield f"    = Database Identifier: {one_line(database.identifier)} ="
    yield _field(8, "Shards", database.shards)
    yield from _endpoint(database)


def _endpoint(database: DatabasePreview) -> Iterator[str]:
    yield from _list(8, "TCP/IP Port(s)", database.ports)
    if database.interfaces:
        yield _field(8, "Network Interface", database.interfaces[0])
    yield _field(8, "Type", database.type)


def _connection(indent: int, database: ColocatedPreview) -> Iterator[str]:
    yield _field(indent, "Connection Type", database.connection)
    if database.unix_socket:
        yield _field(indent, "Unix Socket", database.unix_socket)
    else:
        yield from _list(indent, "TCP/IP Port(s)", database.ports)


def _interfaces(indent: int, database: ColocatedPreview) -> Iterator[str]:
    if database.interfaces:
        yield _field(indent, "Network Interface Name", ", ".join(database.interfaces))


def _key_prefixing(prefixing: bool) -> Iterator[str]:
    state = "On" if prefixing else "Off"
    yield "          Outgoing Key Collision Prevention (Key Prefixing):"
    yield _field(12, "Tensors", state)
    yield _field(12, "Datasets", state)
    yield _field(12, "ML Models/Torch Scripts", "Off")
    yield _field(12, "Aggregation Lists", state)


def _files(model: ModelPreview) -> Iterator[str]:
    for title, paths in (
        ("Tagged Files for Model Configuration", model.files.tagged),
        ("Copy Files", model.files.copied),
        ("Symlink Files", model.files.linked),
    ):
        if paths:
            yield f"        {title}:"
        for path in paths:
            yield f"          {one_line(path)}"
            yield f"            -> {one_line(model.path)}"


def _ensemble_params(params: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if params:
        yield "        Ensemble Parameters:"
    for name, values in params.items():
        text = f"{one_line(name)}: {', '.join(map(one_line, values))}"
        for line in textwrap.wrap(text, _WRAP_COLUMNS, subsequent_indent="  ", break_on_hyphens=False):
            yield f"          {line}"


def _commands(plans: Sequence[PlanPreview]) -> Iterator[str]:
    for item in plans:
        title = f"Command of {one_line(item.name)}" if len(plans) > 1 else "Command"
        plan = item.plan
        if plan is None:
            yield from _list(8, title, [f"not known yet: {item.problem}"])
            continue
        yield from _list(8, title, [command_line(plan.argv)])
        if plan.env:
            yield from _list(8, "Environment", (assignment(name, value) for name, value in plan.env.items()))
        if plan.allocation is not None:
            yield _field(8, "Allocation", plan.allocation)
        if plan.script is not None:
            yield _field(8, "Batch Script", plan.script_path)
            for line in plan.script.rstrip("\n").split("\n"):
                yield f"          {one_line(line)}".rstrip()


# --- the whole -------------------------------------------------------------------------------------------------------


class _Layout:
    """The layout at one verbosity.

    Args:
        verbosity: how much to show.

    Attributes:
        derived: whether what was derived from the user's definitions is shown.
        exact: whether exact commands are shown.
    """

    def __init__(self, verbosity: Verbosity) -> None:
        self.derived = verbosity is not Verbosity.INFO
        self.exact = verbosity is Verbosity.DEVELOPER

    def document(self, preview: Preview) -> Iterator[str]:
        yield from ("", "=== Experiment Overview ===", "")
        yield _field(2, "Experiment Name", preview.experiment)
        yield _field(4, "Experiment Path", preview.path)
        yield _field(4, "Launcher", preview.launcher)
        if preview.active or preview.orchestrators or preview.models or preview.ensembles:
            yield from ("", "=== Entity Preview ===")
        yield from _section("Active Infrastructure", [_active(item) for item in preview.active])
        yield from _section("Orchestrators", [self.orchestrator(item) for item in preview.orchestrators])
        yield from _section("Models", [self.single_model(item) for item in preview.models])
        yield from _section("Ensembles", [self.ensemble(item) for item in preview.ensembles])

    def orchestrator(self, database: DatabasePreview) -> Iterator[str]:
        if database.started:
            name = one_line(database.identifier)
            yield f"    WARNING: Cannot preview {name}, because it is already started."
            return
        yield f"    = Database Identifier: {one_line(database.identifier)} ="
        if self.derived:
            yield _field(8, "Path", database.path)
            yield _field(8, "Shards", database.shards)
        yield from _endpoint(database)
        if self.derived:
            yield _field(8, "Executable", database.executable)
            if database.run_command:
                yield _field(8, "Run Command", database.run_command)
            yield from _options("Run Arguments", database.run_args, ": ")
        yield from self.launch(database.batch, database.plans)

    def launch(self, batch: BatchPreview | None, plans: Sequence[PlanPreview]) -> Iterator[str]:
        if batch is not None:
            yield _field(8, "Batch Launch", True)
            if self.derived:
                yield _field(8, "Batch Command", batch.command)
                yield from _options("Batch Arguments", batch.args, ": ")
        if self.exact:
            yield from _commands(plans)

    # --- ensembles ---------------------------------------------------------------------------------------------------

    def ensemble(self, ensemble: EnsemblePreview) -> Iterator[str]:
        yield f"    = Ensemble Name: {one_line(ensemble.name)} ="
        yield _field(8, "Members", len(ensemble.members))
        if self.derived:
            yield _field(8, "Path", ensemble.path)
            yield from _ensemble_params(ensemble.params)
            if ensemble.replicas is not None:
                yield _field(8, "Replicas", ensemble.replicas)
            if ensemble.strategy:
                yield _field(8, "Permutation Strategy", ensemble.strategy)
        yield from self.launch(ensemble.batch, ensemble.plans)
        left_out = 0 if self.derived else max(len(ensemble.members) - _MEMBERS_IN_FULL, 0)
        if left_out:
            yield from self.member(ensemble.members[0])
            yield from ("", f"        ... ({left_out} more)")
            yield from self.member(ensemble.members[-1])
        else:
            for member in ensemble.members:
                yield from self.member(member)

    def member(self, model: ModelPreview) -> Iterator[str]:
        yield from ("", f"    - Model Name: {one_line(model.name)} -")
        yield from self.model(model)

    # --- models ------------------------------------------------------------------------------------------------------

    def single_model(self, model: ModelPreview) -> Iterator[str]:
        yield f"    = Model Name: {one_line(model.name)} ="
        yield from self.model(model)

    def model(self, model: ModelPreview) -> Iterator[str]:
        if self.derived:
            yield _field(8, "Path", model.path)
            yield _field(8, "Executable", model.executable)
            yield from _list(8, "Executable Arguments", model.arguments)
            if model.run_command:
                yield _field(8, "Run Command", model.run_command)
            yield from _options("Run Arguments", model.run_args, " ")
        yield from self.launch(model.batch, ())
        yield from _options("Model Parameters", model.params, ": ")
        if self.derived:
            yield from _files(model)
        yield from self.machine_learning(model)
        if model.key_prefix is not None:
            yield _field(8, "Key Prefix", model.key_prefix)
        if model.client is not None:
            yield from self.client(model.client)
        yield from self.launch(None, model.plans)

    def machine_learning(self, model: ModelPreview) -> Iterator[str]:
        if model.colocated is not None:
            yield from self.colocated(model.colocated)
        if model.scripts:
            yield "        Torch Scripts:"
        for script in model.scripts:
            yield from self.script(script)
        if model.ml_models:
            yield "        ML Models:"
        for ml_model in model.ml_models:
            yield from self.ml_model(ml_model)

    def colocated(self, database: ColocatedPreview) -> Iterator[str]:
        yield "        Colocated:"
        if database.identifier:
            yield _field(10, "Database Identifier", database.identifier)
        yield from _connection(10, database)
        if self.derived:
            yield from _interfaces(10, database)
            yield _field(10, "CPUs", database.cpus)
            if database.pinning is not None:
                yield _field(10, "Custom Pinning", database.pinning)

    def script(self, script: ScriptPreview) -> Iterator[str]:
        yield _field(10, "Name", script.name)
        if script.path:
            yield _field(12, "Path", script.path)
        yield _field(12, "Backend", script.backend)
        if self.derived:
            yield _field(12, "Device", script.device)
        yield _field(12, "Devices Per Node", script.devices_per_node)

    def ml_model(self, ml_model: MLModelPreview) -> Iterator[str]:
        yield _field(10, "Name", ml_model.name)
        if ml_model.path:
            yield _field(12, "Path", ml_model.path)
        yield _field(12, "Backend", ml_model.backend)
        if self.derived:
            yield _field(12, "Device", ml_model.device)
            yield _field(12, "Devices Per Node", ml_model.devices_per_node)
            if ml_model.device.upper().startswith("GPU"):
                yield _field(12, "First Device", ml_model.first_device)
        if ml_model.inputs:
            yield from _list(12, "Inputs", ml_model.inputs)
        if ml_model.outputs:
            yield from _list(12, "Outputs", ml_model.outputs)

    def client(self, client: ClientPreview) -> Iterator[str]:
        yield "        Client Configuration:"
        for database in client.databases:
            yield _field(10, "Database Identifier", database.identifier)
            yield _field(12, "Database Backend", database.type)
            yield from _list(12, "TCP/IP Port(s)", database.ports)
            yield _field(12, "Type", "Standalone")
        if client.colocated is not None:
            yield _field(10, "Database Identifier", client.colocated.identifier or "N/A")
            yield _field(12, "Database Backend", client.colocated.type)
            yield from _connection(12, client.colocated)
            if self.derived:
                yield from _interfaces(12, client.colocated)
            yield _field(12, "Type", "Colocated")
        if self.derived and client.incoming:
            yield from _list(10, "Incoming Entities (Available Data Sources)", client.incoming)
        if self.derived or client.key_prefixing:
            yield from _key_prefixing(client.key_prefixing)
