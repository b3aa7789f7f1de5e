"""The plain text of a preview, line by line."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim._core.control import previewrenderer
from smartsim.preview.options import Verbosity
from smartsim.preview.render import plain_text, plugin
from smartsim.preview.value import (
    BatchPreview,
    ClientPreview,
    ColocatedPreview,
    DatabasePreview,
    EnsemblePreview,
    FilesPreview,
    MLModelPreview,
    ModelPreview,
    PlanPreview,
    Preview,
    ScriptPreview,
)
from smartsim.preview.words import command_line, one_line, shell_word
from smartsim.values import LaunchPlan, from_json, to_json

DATABASE = DatabasePreview(
    identifier="orchestrator",
    path="/exp/orchestrator",
    ports=[6379],
    interfaces=["ib0"],
    type="redis",
    executable="/bin/redis-server",
)
PROCESS = LaunchPlan(
    step="sim-0",
    argv=["srun", "--n", "2", "./a b"],
    env={"K": "x y"},
    cwd="/exp/sim",
    stdout="",
    stderr="",
    entity="sim",
)
BATCH = LaunchPlan(
    kind="batch",
    step="sim-0",
    argv=["sbatch", "/exp/sim/sim.sh"],
    script="#!/bin/bash\n\nsrun ./sim\n",
    script_path="/exp/sim/sim.sh",
    allocation="77",
    cwd="/exp/sim",
    stdout="",
    stderr="",
    entity="sim",
)


def shown(verbosity: Verbosity, **parts: object) -> str:
    """The entities' part of a preview, without its indentation."""
    text = plain_text(Preview(experiment="exp", path="/exp", launcher="local", **parts), verbosity)
    return textwrap.dedent(text.partition("=== Entity Preview ===\n\n")[2])


def block(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_an_experiment_alone():
    text = plain_text(Preview(experiment="exp", path="/a/exp", launcher="local"), Verbosity.INFO)
    assert text == (
        "\n=== Experiment Overview ===\n\n  Experiment Name: exp\n    Experiment Path: /a/exp\n    Launcher: local"
    )


def test_the_documented_preview():
    preview = Preview(
        experiment="example-experiment",
        path="/p/example-experiment",
        launcher="local",
        orchestrators=[
            DatabasePreview(
                identifier="orchestrator",
                path="/p/example-experiment/orchestrator",
                shards=1,
                ports=[6379],
                interfaces=["ib0"],
                type="redis",
                executable="/p/redis-server",
            )
        ],
        models=[
            ModelPreview(
                name="hello_world",
                path="/p/example-experiment/hello_world",
                executable="/bin/echo",
                arguments=["Hello", "World"],
                client=ClientPreview(databases=[DATABASE]),
            )
        ],
    )
    assert plain_text(preview, Verbosity.DEBUG) == "\n" + block(
        """
        === Experiment Overview ===

          Experiment Name: example-experiment
            Experiment Path: /p/example-experiment
            Launcher: local

        === Entity Preview ===

          == Orchestrators ==

            = Database Identifier: orchestrator =
                Path: /p/example-experiment/orchestrator
                Shards: 1
                TCP/IP Port(s):
                  6379
                Network Interface: ib0
                Type: redis
                Executable: /p/redis-server

          == Models ==

            = Model Name: hello_world =
                Path: /p/example-experiment/hello_world
                Executable: /bin/echo
                Executable Arguments:
                  Hello
                  World
                Client Configuration:
                  Database Identifier: orchestrator
                    Database Backend: redis
                    TCP/IP Port(s):
                      6379
                    Type: Standalone
                  Outgoing Key Collision Prevention (Key Prefixing):
                    Tensors: Off
                    Datasets: Off
                    ML Models/Torch Scripts: Off
                    Aggregation Lists: Off
        """
    )


def test_databases():
    batch = BatchPreview(command="/bin/sbatch", args={"nodes": "3", "exclusive": None})
    settled = DatabasePreview(
        identifier="big",
        path="/exp/big",
        shards=3,
        ports=[1, 2],
        interfaces=["ib0", "ib1"],
        type="redis",
        executable="/bin/s",
        run_command="/bin/srun",
        run_args={"nodes": "3", "quiet": None},
        batch=batch,
    )
    parts = {"active": [DATABASE], "orchestrators": [DatabasePreview(identifier="orchestrator", started=True), settled]}
    assert shown(Verbosity.INFO, **parts) == block(
        """
        == Active Infrastructure ==

          = Database Identifier: orchestrator =
              Shards: 1
              TCP/IP Port(s):
                6379
              Network Interface: ib0
              Type: redis

        == Orchestrators ==

          WARNING: Cannot preview orchestrator, because it is already started.

          = Database Identifier: big =
              TCP/IP Port(s):
                1
                2
              Network Interface: ib0
              Type: redis
              Batch Launch: True
        """
    )
    assert shown(Verbosity.DEBUG, orchestrators=[settled]) == block(
        """
        == Orchestrators ==

          = Database Identifier: big =
              Path: /exp/big
              Shards: 3
              TCP/IP Port(s):
                1
                2
              Network Interface: ib0
              Type: redis
              Executable: /bin/s
              Run Command: /bin/srun
              Run Arguments:
                nodes: 3
                quiet
              Batch Launch: True
              Batch Command: /bin/sbatch
              Batch Arguments:
                nodes: 3
                exclusive
        """
    )


def test_everything_that_a_model_can_have():
    database = ColocatedPreview(
        identifier="colo", type="redis", ports=[7000], interfaces=["lo", "ib0"], cpus=2, pinning="0,1"
    )
    model = ModelPreview(
        name="sim",
        path="/exp/sim",
        executable="/bin/sim",
        arguments=["-v"],
        run_command="/bin/srun",
        run_args={"nodes": "1", "quiet": None},
        batch=BatchPreview(command="sbatch", args={"nodes": "1"}),
        params={"a": "1"},
        files=FilesPreview(tagged=["/in.txt"], copied=["/c1", "/c2"], linked=["/l"]),
        colocated=database,
        scripts=[ScriptPreview(name="script", path="/s.py", device="GPU", devices_per_node=2)],
        ml_models=[
            MLModelPreview(name="net", backend="TF", device="GPU", first_device=1, inputs=["x", "y"], outputs=["z"])
        ],
        key_prefix="sim",
        client=ClientPreview(databases=[DATABASE], colocated=database, incoming=["other"], key_prefixing=True),
    )
    assert shown(Verbosity.INFO, models=[model]) == block(
        """
        == Models ==

          = Model Name: sim =
              Batch Launch: True
              Model Parameters:
                a: 1
              Colocated:
                Database Identifier: colo
                Connection Type: TCP
                TCP/IP Port(s):
                  7000
              Torch Scripts:
                Name: script
                  Path: /s.py
                  Backend: TORCH
                  Devices Per Node: 2
              ML Models:
                Name: net
                  Backend: TF
                  Inputs:
                    x
                    y
                  Outputs:
                    z
              Key Prefix: sim
              Client Configuration:
                Database Identifier: orchestrator
                  Database Backend: redis
                  TCP/IP Port(s):
                    6379
                  Type: Standalone
                Database Identifier: colo
                  Database Backend: redis
                  Connection Type: TCP
                  TCP/IP Port(s):
                    7000
                  Type: Colocated
                Outgoing Key Collision Prevention (Key Prefixing):
                  Tensors: On
                  Datasets: On
                  ML Models/Torch Scripts: Off
                  Aggregation Lists: On
        """
    )
    assert shown(Verbosity.DEBUG, models=[model]) == block(
        """
        == Models ==

          = Model Name: sim =
              Path: /exp/sim
              Executable: /bin/sim
              Executable Arguments:
                -v
              Run Command: /bin/srun
              Run Arguments:
                nodes 1
                quiet
              Batch Launch: True
              Batch Command: sbatch
              Batch Arguments:
                nodes: 1
              Model Parameters:
                a: 1
              Tagged Files for Model Configuration:
                /in.txt
                  -> /exp/sim
              Copy Files:
                /c1
                  -> /exp/sim
                /c2
                  -> /exp/sim
              Symlink Files:
                /l
                  -> /exp/sim
              Colocated:
                Database Identifier: colo
                Connection Type: TCP
                TCP/IP Port(s):
                  7000
                Network Interface Name: lo, ib0
                CPUs: 2
                Custom Pinning: 0,1
              Torch Scripts:
                Name: script
                  Path: /s.py
                  Backend: TORCH
                  Device: GPU
                  Devices Per Node: 2
              ML Models:
                Name: net
                  Backend: TF
                  Device: GPU
                  Devices Per Node: 1
                  First Device: 1
                  Inputs:
                    x
                    y
                  Outputs:
                    z
              Key Prefix: sim
              Client Configuration:
                Database Identifier: orchestrator
                  Database Backend: redis
                  TCP/IP Port(s):
                    6379
                  Type: Standalone
                Database Identifier: colo
                  Database Backend: redis
                  Connection Type: TCP
                  TCP/IP Port(s):
                    7000
                  Network Interface Name: lo, ib0
                  Type: Colocated
                Incoming Entities (Available Data Sources):
                  other
                Outgoing Key Collision Prevention (Key Prefixing):
                  Tensors: On
                  Datasets: On
                  ML Models/Torch Scripts: Off
                  Aggregation Lists: On
        """
    )


def test_a_database_on_a_unix_socket():
    database = ColocatedPreview(type="redis", connection="UDS", unix_socket="/tmp/s")
    model = ModelPreview(name="sim", colocated=database, client=ClientPreview(colocated=database))
    assert shown(Verbosity.INFO, models=[model]) == block(
        """
        == Models ==

          = Model Name: sim =
              Colocated:
                Connection Type: UDS
                Unix Socket: /tmp/s
              Client Configuration:
                Database Identifier: N/A
                  Database Backend: redis
                  Connection Type: UDS
                  Unix Socket: /tmp/s
                  Type: Colocated
        """
    )


def members(count: int) -> list[ModelPreview]:
    return [ModelPreview(name=f"ens_{number}", executable="/bin/e") for number in range(count)]


def test_an_ensemble_is_shortened_for_info_only():
    ensemble = EnsemblePreview(name="ens", path="/exp/ens", replicas=4, members=members(4))
    assert shown(Verbosity.INFO, ensembles=[ensemble]) == block(
        """
        == Ensembles ==

          = Ensemble Name: ens =
              Members: 4

          - Model Name: ens_0 -

              ... (2 more)

          - Model Name: ens_3 -
        """
    )
    names = [line for line in shown(Verbosity.DEBUG, ensembles=[ensemble]).splitlines() if "Model Name" in line]
    assert names == [f"  - Model Name: ens_{number} -" for number in range(4)]
    pair = shown(Verbosity.INFO, ensembles=[EnsemblePreview(name="ens", members=members(2))])
    assert "..." not in pair
    assert pair.count("Model Name") == 2


def test_each_ensemble_is_shown_once():
    ensembles = [EnsemblePreview(name=name, members=members(1)) for name in ("one", "two", "three")]
    text = shown(Verbosity.DEBUG, ensembles=ensembles)
    assert text.count("Ensemble Name") == 3
    assert text.count("== Ensembles ==") == 1


def test_ensemble_fields():
    ensemble = EnsemblePreview(
        name="ens",
        path="/exp/ens",
        params={"a": ["1", "2"], "b": [str(number) for number in range(100)]},
        strategy="all_perm",
        batch=BatchPreview(command="qsub", args={"q": "debug"}),
        plans=[PlanPreview(name="ens", plan=BATCH)],
    )
    text = shown(Verbosity.DEBUG, ensembles=[ensemble])
    assert "      Ensemble Parameters:\n        a: 1, 2\n        b: 0, 1, 2," in text
    assert max(map(len, text.splitlines())) <= 150 + 10
    assert text.endswith(
        "      Permutation Strategy: all_perm\n"
        "      Batch Launch: True\n"
        "      Batch Command: qsub\n"
        "      Batch Arguments:\n"
        "        q: debug"
    )
    assert "Command:\n" in shown(Verbosity.DEVELOPER, ensembles=[ensemble])


def test_developer_shows_the_exact_commands():
    models = [
        ModelPreview(name="sim", path="/exp/sim", executable="/bin/sim", plans=[PlanPreview(name="sim", plan=PROCESS)]),
        ModelPreview(name="sim2", path="/exp/sim", executable="/bin/sim", plans=[PlanPreview(name="sim2", plan=BATCH)]),
        ModelPreview(name="sim3", path="/", executable="/e", plans=[PlanPreview(name="sim3", problem="no allocation")]),
    ]
    assert shown(Verbosity.DEVELOPER, models=models) == block(
        """
        == Models ==

          = Model Name: sim =
              Path: /exp/sim
              Executable: /bin/sim
              Executable Arguments:
              Command:
                srun --n 2 './a b'
              Environment:
                K='x y'

          = Model Name: sim2 =
              Path: /exp/sim
              Executable: /bin/sim
              Executable Arguments:
              Command:
                sbatch /exp/sim/sim.sh
              Allocation: 77
              Batch Script: /exp/sim/sim.sh
                #!/bin/bash

                srun ./sim

          = Model Name: sim3 =
              Path: /
              Executable: /e
              Executable Arguments:
              Command:
                not known yet: no allocation
        """
    )
    assert "Command" not in shown(Verbosity.DEBUG, models=models)


def test_several_commands_name_their_shard():
    plans = [PlanPreview(name=f"db_{number}", plan=PROCESS) for number in range(3)]
    text = shown(Verbosity.DEVELOPER, orchestrators=[DatabasePreview(identifier="db", plans=plans)])
    assert [line.strip() for line in text.splitlines() if "Command" in line] == [
        "Command of db_0:",
        "Command of db_1:",
        "Command of db_2:",
    ]


def test_nothing_is_escaped_for_html():
    text = shown(Verbosity.DEBUG, models=[ModelPreview(name="<\"&'>", arguments=["a < b && c > d"])])
    assert "= Model Name: <\"&'> =" in text
    assert "  a < b && c > d" in text


TEXT = st.text(st.characters(), max_size=30)  # lone surrogates included
OPTIONS = st.dictionaries(TEXT, st.none() | TEXT, max_size=3)
TEXTS = st.lists(TEXT, max_size=3)


@st.composite
def previews(draw: st.DrawFn) -> Preview:
    plan = LaunchPlan(
        step="s", argv=draw(TEXTS), env=dict.fromkeys(draw(TEXTS), "v"), cwd="/", stdout="", stderr="", entity="e"
    )
    batch = BatchPreview(command=draw(TEXT), args=draw(OPTIONS))
    colocated = ColocatedPreview(
        identifier=draw(TEXT), unix_socket=draw(TEXT), pinning=draw(TEXT), interfaces=draw(TEXTS)
    )
    database = DatabasePreview(
        identifier=draw(TEXT), path=draw(TEXT), interfaces=draw(TEXTS), run_command=draw(TEXT), run_args=draw(OPTIONS)
    )
    plans = [PlanPreview(name=draw(TEXT), plan=plan), PlanPreview(name="p", problem=draw(TEXT))]
    model = ModelPreview(
        name=draw(TEXT),
        path=draw(TEXT),
        arguments=draw(TEXTS),
        run_args=draw(OPTIONS),
        batch=batch,
        params=dict.fromkeys(draw(TEXTS), draw(TEXT)),
        files=FilesPreview(tagged=draw(TEXTS), copied=draw(TEXTS)),
        colocated=colocated,
        scripts=[ScriptPreview(name=draw(TEXT), path=draw(TEXT), device=draw(TEXT))],
        ml_models=[MLModelPreview(name=draw(TEXT), inputs=draw(TEXTS), device=draw(TEXT))],
        key_prefix=draw(TEXT),
        client=ClientPreview(databases=[database], colocated=colocated, incoming=draw(TEXTS)),
        plans=plans,
    )
    ensemble = EnsemblePreview(
        name=draw(TEXT),
        params={draw(TEXT): draw(TEXTS)},
        strategy=draw(TEXT),
        batch=batch,
        members=[model] * 3,
        plans=plans,
    )
    return Preview(
        experiment=draw(TEXT),
        path=draw(TEXT),
        launcher=draw(TEXT),
        active=[database],
        orchestrators=[database],
        models=[model],
        ensembles=[ensemble],
    )


@given(previews(), st.sampled_from(Verbosity))
def test_any_value_stays_on_its_line(preview: Preview, verbosity: Verbosity):
    text = plain_text(preview, verbosity)
    lines = text.split("\n")
    assert lines == text.splitlines()  # no other character ends a line either
    assert all(line.replace("\t", " ").isprintable() for line in lines)
    assert lines[3] == f"  Experiment Name: {one_line(preview.experiment)}"
    assert text.encode("utf-8")


@given(previews())
def test_a_preview_survives_json(preview: Preview):
    assert from_json(Preview, to_json(preview)) == preview


WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20) | st.binary(
    max_size=20
).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"")))


@given(st.lists(WORD, min_size=1, max_size=8))
def test_every_word_is_shown_in_printable_characters(words: list[str]):
    assert command_line(words).isprintable()


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks a real shell")
def test_a_shell_reads_the_same_words_back():
    words = [
        "plain",
        "two words",
        "it's",
        '$HOME `id` \\ "x"',
        "a\nb\tc",
        "\x1b[31mred",
        "é\u202e",
        "\udcff\udc80",
        "",
        "*",
        "~",
    ]
    words += ["".join(map(chr, range(1, 256)))]
    script = f"printf '%s\\0' {command_line(words)}"
    out = subprocess.run(["bash", "-c", script], check=True, capture_output=True, env={"LC_ALL": "C"}).stdout
    assert out.split(b"\0")[:-1] == [os.fsencode(word) for word in words]
    assert shell_word("plain") == "plain"


def test_verbosity_names():
    assert [Verbosity.parse(name) for name in ("info", "debug", "developer")] == list(Verbosity)
    assert Verbosity.parse(Verbosity.DEBUG) is Verbosity.DEBUG
    for wrong in ("everything", "", None, 3, "INFO"):
        with pytest.raises(ValueError, match="'info', 'debug', 'developer'"):
            Verbosity.parse(wrong)
    assert previewrenderer.Verbosity is Verbosity
    assert previewrenderer.Format.PLAINTEXT == "plain_text"


def test_the_plugin_answers_for_its_own_format_only():
    preview = Preview(experiment="exp", path="/exp", launcher="local")
    assert plugin.smartsim_plugin_info().name == "plain-text-preview"
    assert plugin.smartsim_render_preview(preview, "info", "plain_text") == plain_text(preview, Verbosity.INFO)
    assert plugin.smartsim_render_preview(preview, "info", "html") is None
