"""Bad input through the public API: the error's class, what its message says, and that nothing was started or written.

Each row of a table is a mistake that a driver script can make. The message must name the argument or the value, and
what to do about it, or at least what would be right.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ports import free_ports
from smartsim import Experiment
from smartsim.engine.supervisor.journal import fold, journal_path, read
from smartsim.entity import DBModel, DBScript, Ensemble, Model
from smartsim.error import (
    EntityExistsError,
    NotStartedError,
    ParameterWriterError,
    SmartSimError,
    SSUnsupportedError,
    UserStrategyError,
)
from smartsim.error.errors import PreviewFormatError
from smartsim.settings.base import BatchSettings, RunSettings

LONG = "x" * 10_000


@dataclass(frozen=True)
class Row:
    """A mistake.

    Attributes:
        name: what is wrong.
        call: makes the mistake; gets an experiment whose folder is `tmp_path / "exp"`, and `tmp_path`.
        error: exactly this class is raised.
        message: what must be found in the message.
        given: what is the case before; may return something that `call` gets as its third argument.
        launches: the mistake shows only while processes are launched: folders and the journal may be there then.
    """

    name: str
    call: Callable[..., Any]
    error: type[BaseException]
    message: str
    given: Callable[[Experiment, Path], Any] | None = None
    launches: bool = False


def settings(exp: Experiment, exe: str = "/bin/true", **changes: Any) -> RunSettings:
    return exp.create_run_settings(exe, **changes)


def model(exp: Experiment, name: Any = "model", **changes: Any) -> Model:
    return exp.create_model(name, changes.pop("run_settings", None) or settings(exp), **changes)


def replicas(exp: Experiment, name: Any = "ensemble", count: int = 2, **changes: Any) -> Ensemble:
    return exp.create_ensemble(name, run_settings=settings(exp), replicas=count, **changes)


def file(path: Path, content: str | bytes = "content", mode: int = 0o644) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return str(path)


def folder(path: Path) -> str:
    path.mkdir(parents=True, exist_ok=True)
    return str(path)


def link(path: Path, target: str | Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return str(path)


def attached(exp: Experiment, **files: Any) -> Model:
    made = model(exp)
    made.attach_generator_files(**files)
    return made


def renamed(exp: Experiment, name: Any) -> Model:
    made = model(exp)
    made.name = name
    return made


def blank_ensemble(exp: Experiment) -> Ensemble:
    made = replicas(exp)
    made.entities.clear()
    return made


class Strange:
    """An object of no use, whose text would not even help."""


# --- the experiment ---------------------------------------------------------------------------------------------------

EXPERIMENT = [
    Row("name None", lambda exp, tmp: Experiment(None), AttributeError, "Experiment: no name.*pass name="),
    Row("name int", lambda exp, tmp: Experiment(3), TypeError, "Experiment: name must be a str.*3"),
    Row("name bytes", lambda exp, tmp: Experiment(b"exp"), TypeError, "Experiment: name must be a str.*b'exp'"),
    Row("name empty", lambda exp, tmp: Experiment(""), ValueError, "Experiment: name '' is empty.*another"),
    Row("name dot", lambda exp, tmp: Experiment("."), ValueError, r"name '\.' is reserved.*another"),
    Row("name two dots", lambda exp, tmp: Experiment(".."), ValueError, r"name '\.\.' is reserved.*another"),
    Row("name with separator", lambda exp, tmp: Experiment("a/b"), ValueError, "name 'a/b' has.*'/'.*another"),
    Row("name climbs", lambda exp, tmp: Experiment("../a"), ValueError, "name '../a' has.*'/'.*another"),
    Row("name with newline", lambda exp, tmp: Experiment("a\nb"), ValueError, r"name 'a\\nb' has.*'\\n'.*another"),
    Row("name with NUL", lambda exp, tmp: Experiment("a\0b"), ValueError, r"name 'a\\x00b' has.*x00.*another"),
    Row("name too long", lambda exp, tmp: Experiment(LONG), ValueError, "10000.*at most.*another"),
    Row("name no Unicode", lambda exp, tmp: Experiment("a\udcff"), ValueError, r"name 'a\\udcff'.*Unicode.*another"),
    Row("exp_path int", lambda exp, tmp: Experiment("e", exp_path=3), TypeError, "exp_path=3.*text"),
    Row("exp_path bytes", lambda exp, tmp: Experiment("e", exp_path=b"/tmp"), TypeError, "exp_path=b'/tmp'.*text"),
    Row("exp_path Path", lambda exp, tmp: Experiment("e", exp_path=tmp), TypeError, "exp_path=.*text"),
    Row(
        "exp_path missing",
        lambda exp, tmp: Experiment("e", exp_path=str(tmp / "no")),
        NotADirectoryError,
        "exp_path=.*/no.*make it first",
    ),
    Row(
        "exp_path a file",
        lambda exp, tmp, path: Experiment("e", exp_path=path),
        NotADirectoryError,
        "exp_path=.*/some.*no folder",
        given=lambda exp, tmp: file(tmp / "some"),
    ),
    Row(
        "exp_path a circle",
        lambda exp, tmp, path: Experiment("e", exp_path=path),
        NotADirectoryError,
        "exp_path=.*/circle.*no folder",
        given=lambda exp, tmp: link(tmp / "circle", tmp / "circle"),
    ),
    Row("exp_path with NUL", lambda exp, tmp: Experiment("e", exp_path="/a\0"), NotADirectoryError, "exp_path=.*x00"),
    Row("exp_path too long", lambda exp, tmp: Experiment("e", exp_path="/" + LONG), NotADirectoryError, "no folder"),
    Row("launcher None", lambda exp, tmp: Experiment("e", launcher=None), AttributeError, "launcher=None.*'local'"),
    Row("launcher int", lambda exp, tmp: Experiment("e", launcher=1), TypeError, "launcher=1.*'local'"),
    Row("launcher empty", lambda exp, tmp: Experiment("e", launcher=""), SSUnsupportedError, "supported.*local"),
    Row(
        "launcher unknown",
        lambda exp, tmp: Experiment("e", launcher="magic"),
        SSUnsupportedError,
        "Launcher type not supported: magic.*local",
    ),
    Row(
        "launcher cobalt",
        lambda exp, tmp: Experiment("e", launcher="cobalt"),
        SSUnsupportedError,
        "Launcher type not supported: cobalt",
    ),
    Row(
        "launcher with a separator",
        lambda exp, tmp: Experiment("e", launcher="../local"),
        SSUnsupportedError,
        "Launcher type not supported",
    ),
    *(
        Row(
            f"launcher {name} not installed",
            lambda exp, tmp, name=name: Experiment("e", launcher=name),
            SSUnsupportedError,
            rf"Launcher type not supported: {name}.*pip install .*{name}",
        )
        for name in ("sge", "dragon")
    ),
]

# --- what is given to start, stop, ... --------------------------------------------------------------------------------

NO_ENTITIES = {
    "None": lambda exp: None,
    "text": lambda exp: "model",
    "number": lambda exp: 3,
    "list": lambda exp: [model(exp)],
    "object": lambda exp: Strange(),
    "settings": settings,
    "class": lambda exp: Model,
}
METHODS = ["start", "stop", "generate", "preview", "get_status"]

ENTITIES = [
    *(
        Row(
            f"{method} of {kind}",
            lambda exp, tmp, method=method, make=make: getattr(exp, method)(make(exp)),
            TypeError,
            "expected Models, Ensembles and Orchestrators.*one by one",
        )
        for method in METHODS
        for kind, make in NO_ENTITIES.items()
    ),
    *(
        Row(
            f"{method} of one thing twice",
            lambda exp, tmp, method=method: getattr(exp, method)(model(exp), model(exp)),
            SmartSimError,
            "'model'.*own name",
        )
        for method in METHODS
    ),
    *(
        Row(
            f"{method} of an empty ensemble",
            lambda exp, tmp, method=method: getattr(exp, method)(blank_ensemble(exp)),
            ValueError,
            "ensemble is empty.*add Models",
        )
        for method in METHODS
    ),
    *(
        Row(
            f"{method} of a thing without a name",
            lambda exp, tmp, method=method: getattr(exp, method)(renamed(exp, "")),
            AttributeError,
            "no name.*set",
        )
        for method in METHODS
    ),
    Row(
        "start of a model and a member of that name",
        lambda exp, tmp: exp.start(model(exp, "ensemble_0"), replicas(exp)),
        SSUnsupportedError,
        "cannot have duplicate names.*'ensemble_0'.*own name",
    ),
    Row(
        "start of a name changed to a path",
        lambda exp, tmp: exp.start(renamed(exp, "../../model")),
        ValueError,
        r"'\.\./\.\./model'.*another",
    ),
    Row(
        "start of a model without settings",
        lambda exp, tmp, made: exp.start(made),
        TypeError,
        "'model'.*run_settings=None.*create_run_settings",
        given=lambda exp, tmp: setattr(made := model(exp), "run_settings", None) or made,
    ),
    Row(
        "start of a batch model",
        lambda exp, tmp, made: exp.start(made),
        SSUnsupportedError,
        "'model' has batch settings.*remove",
        given=lambda exp, tmp: setattr(made := model(exp), "batch_settings", _batch()) or made,
    ),
    Row("finished of None", lambda exp, tmp: exp.finished(None), TypeError, "finished.*Model or an Ensemble"),
    Row("finished of text", lambda exp, tmp: exp.finished("model"), TypeError, "finished.*Model or an Ensemble"),
    Row(
        "finished of a database",
        lambda exp, tmp: exp.finished(exp.create_database(port=free_ports())),
        TypeError,
        "finished.*get_status",
    ),
    Row("finished before the start", lambda exp, tmp: exp.finished(model(exp)), ValueError, "'model'.*start it before"),
    Row("stop before the start", lambda exp, tmp: exp.stop(model(exp)), NotStartedError, "'model' was never started"),
    Row(
        "stop of an ensemble before the start",
        lambda exp, tmp: exp.stop(replicas(exp)),
        NotStartedError,
        "'ensemble_0' was never started",
    ),
    Row(
        "stop of a database before the start",
        lambda exp, tmp: exp.stop(exp.create_database(port=free_ports())),
        NotStartedError,
        "'orchestrator_0' was never started",
    ),
    *(
        Row(
            f"poll every {interval!r} s",
            lambda exp, tmp, interval=interval: exp.poll(interval=interval),
            error,
            "interval=.*seconds above 0",
        )
        for interval, error in [
            (0, ValueError),
            (-1, ValueError),
            (float("nan"), ValueError),
            (None, TypeError),
            ("1", TypeError),
        ]
    ),
    *(
        Row(
            f"summary in the style {style!r}",
            lambda exp, tmp, style=style: exp.summary(style),
            ValueError,
            "style=.*is not one of.*github",
        )
        for style in ["nice", "", None, 3, []]
    ),
]


def _batch() -> BatchSettings:
    class Batch(BatchSettings):
        def format_batch_args(self) -> list[str]:
            return []

    return Batch("true")


# --- making models, ensembles and settings ----------------------------------------------------------------------------

BAD_NAMES: list[tuple[Any, type[BaseException], str]] = [
    (None, AttributeError, "name"),
    (3, TypeError, "name must be a str.*3"),
    (b"m", TypeError, "name must be a str.*b'm'"),
    ("", ValueError, "empty.*choose another"),
    (".", ValueError, "reserved.*choose another"),
    ("..", ValueError, "reserved.*choose another"),
    (".smartsim", ValueError, "reserved.*choose another"),
    ("a/b", ValueError, "'/'.*choose another"),
    ("a\nb", ValueError, r"'\\n'.*choose another"),
    ("a\0b", ValueError, r"x00.*choose another"),
    (LONG, ValueError, "10000.*at most.*choose another"),
    ("a\udcff", ValueError, "Unicode.*choose another"),
]

MAKING = [
    *(
        Row(
            f"{kind} called {str(name)[:9]!r}",
            lambda exp, tmp, make=make, name=name: make(exp, name),
            error,
            message,
        )
        for kind, make in {"model": model, "ensemble": replicas}.items()
        for name, error, message in BAD_NAMES
    ),
    *(
        Row(
            f"database called {str(name)[:9]!r}",
            lambda exp, tmp, name=name: exp.create_database(port=free_ports(), db_identifier=name),
            error,
            "db_identifier|name",
        )
        for name, error, _ in BAD_NAMES
    ),
    Row(
        "settings are text",
        lambda exp, tmp: exp.create_model("model", "/bin/true"),
        TypeError,
        "'model'.*run_settings must be RunSettings.*create_run_settings",
    ),
    Row(
        "batch settings are a dict",
        lambda exp, tmp: model(exp, batch_settings={"nodes": 1}),
        TypeError,
        "'model'.*batch_settings must be BatchSettings.*create_batch_settings",
    ),
    *(
        Row(
            f"params {params!r}",
            lambda exp, tmp, params=params: model(exp, params=params),
            TypeError,
            "param",
        )
        for params in ["a", 3, ["a"], {"a": None}, {"a": [1]}, {"a": b"1"}, {"a": {}}, {3: "a"}, {None: 1}]
    ),
    *(
        Row(
            f"ensemble params {params!r}",
            lambda exp, tmp, params=params: exp.create_ensemble("e", params=params, run_settings=settings(exp)),
            TypeError,
            "param",
        )
        for params in ["a", 3, ["a"], {"a": None}, {"a": 1.5}, {"a": (1, 2)}, {3: [1]}]
    ),
    Row(
        "ensemble of nothing",
        lambda exp, tmp: exp.create_ensemble("e"),
        SmartSimError,
        "'e' needs run_settings.*replicas",
    ),
    Row(
        "ensemble without replicas",
        lambda exp, tmp: exp.create_ensemble("e", run_settings=settings(exp)),
        SmartSimError,
        "'e'.*params or replicas",
    ),
    Row(
        "ensemble without settings",
        lambda exp, tmp: exp.create_ensemble("e", params={"a": [1]}),
        SmartSimError,
        "'e'.*no run_settings",
    ),
    Row("replicas negative", lambda exp, tmp: replicas(exp, count=-1), ValueError, "replicas.*at least.*-1"),
    Row("replicas text", lambda exp, tmp: replicas(exp, count="2"), TypeError, "replicas.*int.*'2'"),
    Row("replicas a fraction", lambda exp, tmp: replicas(exp, count=1.5), TypeError, "replicas.*int.*1.5"),
    *(
        Row(
            f"strategy {strategy!r}",
            lambda exp, tmp, strategy=strategy: exp.create_ensemble(
                "e", params={"a": [1]}, run_settings=settings(exp), perm_strategy=strategy
            ),
            SSUnsupportedError,
            "strategy.*all_perm, step, random, or a function",
        )
        for strategy in ["all", "", None, 3, ["step"]]
    ),
    *(
        Row(
            f"strategy returns {answer!r}",
            lambda exp, tmp, answer=answer: exp.create_ensemble(
                "e", params={"a": [1]}, run_settings=settings(exp), perm_strategy=lambda *_: answer
            ),
            UserStrategyError,
            "<lambda> must return a list of dictionaries",
        )
        for answer in [None, "x", {"a": "1"}, ["a"], [{"a": "1"}, None]]
    ),
    Row(
        "params_as_args text",
        lambda exp, tmp: exp.create_ensemble("e", params={"a": [1]}, run_settings=settings(exp), params_as_args="a"),
        TypeError,
        "params_as_args must be a list of names",
    ),
    Row(
        "params_as_args unknown",
        lambda exp, tmp: exp.create_ensemble("e", params={"a": [1]}, run_settings=settings(exp), params_as_args=["b"]),
        ValueError,
        "params_as_args.*no parameter 'b'.*it has: a",
    ),
    Row("n_models negative", lambda exp, tmp: replicas(exp, n_models=-1), ValueError, "n_models.*at least"),
    Row("add_model of text", lambda exp, tmp: replicas(exp).add_model("m"), TypeError, "add_model takes a Model"),
    Row(
        "add_model of a member's name",
        lambda exp, tmp: replicas(exp).add_model(model(exp, "ensemble_1")),
        EntityExistsError,
        "'ensemble' has a member called 'ensemble_1'",
    ),
    Row(
        "one source twice",
        lambda exp, tmp: [made := model(exp), *(made.register_incoming_entity(model(exp, "s")) for _ in "ab")],
        EntityExistsError,
        "'s' is registered",
    ),
    Row("source None", lambda exp, tmp: model(exp).register_incoming_entity(None), TypeError, "incoming_entity.*None"),
    *(
        Row(f"model path {path!r}", lambda exp, tmp, path=path: model(exp, path=path), TypeError, "path.*str")
        for path in [3, b"/tmp", ["/tmp"], Strange]
    ),
    Row("model path with NUL", lambda exp, tmp: model(exp, path="/a\0"), ValueError, "path.*NUL"),
    *(
        Row(f"set_path {path!r}", lambda exp, tmp, path=path: model(exp).set_path(path), TypeError, "path.*str")
        for path in [None, 3, b"/tmp"]
    ),
]

SETTINGS = [
    Row("exe missing", lambda exp, tmp: settings(exp, "/no/such"), FileNotFoundError, "'/no/such'.*check its spelling"),
    Row("exe not on PATH", lambda exp, tmp: settings(exp, "no-such-exe"), FileNotFoundError, "'no-such-exe'.*PATH"),
    Row("exe with arguments", lambda exp, tmp: settings(exp, "echo hi"), FileNotFoundError, "'echo hi'.*exe_args"),
    Row("exe empty", lambda exp, tmp: settings(exp, ""), FileNotFoundError, "exe ''"),
    Row("exe None", lambda exp, tmp: settings(exp, None), TypeError, "exe must be a str.*None"),
    Row("exe int", lambda exp, tmp: settings(exp, 3), TypeError, "exe must be a str.*3"),
    Row("exe bytes", lambda exp, tmp: settings(exp, b"true"), TypeError, "exe must be a str.*b'true'"),
    Row("exe with NUL", lambda exp, tmp: settings(exp, "true\0"), ValueError, "exe.*NUL.*remove"),
    Row("exe a folder", lambda exp, tmp: settings(exp, str(tmp)), FileNotFoundError, "folder.*file inside"),
    Row("exe too long", lambda exp, tmp: settings(exp, "/" + LONG), FileNotFoundError, "exe.*does not exist"),
    Row("exe with newline", lambda exp, tmp: settings(exp, "tr\nue"), FileNotFoundError, r"'tr\\nue'"),
    Row(
        "exe without x bit",
        lambda exp, tmp, path: settings(exp, path),
        TypeError,
        "not executable.*chmod",
        given=lambda exp, tmp: file(tmp / "program", "#!/bin/sh\n"),
    ),
    Row(
        "exe a circle",
        lambda exp, tmp, path: settings(exp, path),
        FileNotFoundError,
        "circle.*does not exist",
        given=lambda exp, tmp: link(tmp / "circle", tmp / "circle"),
    ),
    *(
        Row(f"exe_args {args!r}", lambda exp, tmp, args=args: settings(exp, exe_args=args), TypeError, "exe_args.*str")
        for args in [3, ["a", 3], ["a", None], [b"a"], {"a": 1}, ("a",), [["a"]], True]
    ),
    Row("exe_args with NUL", lambda exp, tmp: settings(exp, exe_args=["a\0"]), ValueError, "exe_args.*NUL.*remove"),
    Row("exe_args twice", lambda exp, tmp: settings(exp, exe_args=["a"], exec_args=["a"]), TypeError, "give one"),
    Row("add_exe_args int", lambda exp, tmp: settings(exp).add_exe_args(3), TypeError, "args.*str"),
    *(
        Row(f"run_args {args!r}", lambda exp, tmp, args=args: settings(exp, run_args=args), error, "run_args")
        for args, error in [
            ("n", TypeError),
            (["n"], TypeError),
            ({3: "n"}, TypeError),
            ({"n": [1]}, TypeError),
            ({"n": True}, TypeError),
            ({"": "n"}, ValueError),
            ({"a b": "n"}, ValueError),
            ({"n": "a\0"}, ValueError),
        ]
    ),
    *(
        Row(f"env_vars {env!r}", lambda exp, tmp, env=env: settings(exp, env_vars=env), error, "env_vars")
        for env, error in [
            ("A=1", TypeError),
            (["A=1"], TypeError),
            ({3: "1"}, TypeError),
            ({"A": [1]}, TypeError),
            ({"A": b"1"}, TypeError),
            ({"": "1"}, ValueError),
            ({"A=B": "1"}, ValueError),
            ({"A\0": "1"}, ValueError),
            ({"A\n": "1"}, ValueError),
            ({"A": "1\0"}, ValueError),
        ]
    ),
    Row("update_env list", lambda exp, tmp: settings(exp).update_env(["A"]), TypeError, "env_vars must be a dict"),
    Row("update_env None", lambda exp, tmp: settings(exp).update_env({"A": None}), TypeError, r"env_vars\['A'\].*None"),
    Row("update_env =", lambda exp, tmp: settings(exp).update_env({"A=": 1}), ValueError, "'A='.*cannot name"),
    Row("set without a name", lambda exp, tmp: settings(exp).set("--"), ValueError, "arg.*no name"),
    Row("set of a number", lambda exp, tmp: settings(exp).set(3), TypeError, "arg must be a str"),
    Row("set to a number", lambda exp, tmp: settings(exp).set("n", 3), TypeError, "value must be a str"),
    Row(
        "container text", lambda exp, tmp: settings(exp, container="image"), TypeError, "container must be a Container"
    ),
    Row("run_command int", lambda exp, tmp: settings(exp, run_command=3), TypeError, "run_command must be a str"),
    Row(
        "batch settings on local",
        lambda exp, tmp: exp.create_batch_settings(),
        SmartSimError,
        "local has no batch jobs.*leave batch_settings out",
    ),
    Row(
        "batch settings with text as nodes",
        lambda exp, tmp: exp.create_batch_settings(nodes="two"),
        ValueError,
        "nodes must be a whole number.*'two'",
    ),
    Row(
        "batch settings with negative nodes",
        lambda exp, tmp: exp.create_batch_settings(nodes=-2),
        ValueError,
        "nodes must be at least 0",
    ),
    Row(
        "batch_args a list",
        lambda exp, tmp: exp.create_batch_settings(batch_args=["a"]),
        TypeError,
        "batch_args must be a dict",
    ),
    Row(
        "time limit negative",
        lambda exp, tmp: settings(exp).set_time(hours=-1),
        ValueError,
        "hours must be at least 0",
    ),
]

# --- files ------------------------------------------------------------------------------------------------------------


def _self_containing(exp: Experiment, tmp: Path) -> str:
    inner = folder(tmp / "data/inner")
    link(tmp / "data/inner/back", tmp / "data")
    return str(Path(inner).parent)


KINDS = ("to_copy", "to_symlink", "to_configure")

FILES = [
    *(
        Row(
            f"{kind} {value!r}",
            lambda exp, tmp, kind=kind, value=value: attached(exp, **{kind: value}),
            error,
            kind,
        )
        for kind in KINDS
        for value, error in [
            (3, TypeError),
            ([3], TypeError),
            ([None], TypeError),
            ([b"/tmp"], TypeError),
            ([""], ValueError),
            (["/a\0"], ValueError),
            (["/no/such"], FileNotFoundError),
            (["/" + LONG[:300]], FileNotFoundError),
        ]
    ),
    *(
        Row(
            f"{kind} of the reserved name",
            lambda exp, tmp, path, kind=kind: attached(exp, **{kind: path}),
            ValueError,
            "smartsim_params.txt.*rename",
            given=lambda exp, tmp: file(tmp / "smartsim_params.txt"),
        )
        for kind in KINDS
    ),
    *(
        Row(
            f"{kind} of a dangling link",
            lambda exp, tmp, path, kind=kind: attached(exp, **{kind: [path]}),
            FileNotFoundError,
            f"{kind}.*dangling.*leads nowhere",
            given=lambda exp, tmp: link(tmp / "dangling", tmp / "nothing"),
        )
        for kind in KINDS
    ),
    *(
        Row(
            f"{kind} of a circular link",
            lambda exp, tmp, path, kind=kind: attached(exp, **{kind: [path]}),
            FileNotFoundError,
            f"{kind}.*circle.*leads nowhere",
            given=lambda exp, tmp: link(tmp / "circle", tmp / "circle"),
        )
        for kind in KINDS
    ),
    *(
        Row(
            f"{kind} of a device",
            lambda exp, tmp, kind=kind: attached(exp, **{kind: "/dev/null"}),
            ValueError,
            "/dev/null is neither a file nor a folder.*to_symlink",
        )
        for kind in ("to_copy", "to_configure")
    ),
    *(
        Row(
            f"{kind} of a pipe",
            lambda exp, tmp, path, kind=kind: attached(exp, **{kind: path}),
            ValueError,
            "pipe is neither a file nor a folder",
            given=lambda exp, tmp: os.mkfifo(tmp / "pipe") or str(tmp / "pipe"),
        )
        for kind in ("to_copy", "to_configure")
    ),
    Row(
        "to_copy of a folder that holds itself",
        lambda exp, tmp, path: exp.generate(attached(exp, to_copy=path)),
        ValueError,
        "back leads back to a folder it is in.*remove",
        given=_self_containing,
    ),
    Row(
        "to_configure of a folder that holds itself",
        lambda exp, tmp, path: attached(exp, to_configure=path),
        ValueError,
        "back is a symbolic link to a folder.*attach the folder",
        given=_self_containing,
    ),
    Row(
        "to_copy of the experiment",
        lambda exp, tmp: exp.generate(attached(exp, to_copy=exp.exp_path)),
        ValueError,
        "model: its folder .*copied into itself: attach",
    ),
    Row(
        "to_copy of a folder with a dangling link",
        lambda exp, tmp, path: exp.generate(attached(exp, to_copy=path)),
        FileNotFoundError,
        "dangling.*leads nowhere",
        given=lambda exp, tmp: [link(tmp / "data/dangling", "nothing"), str(tmp / "data")][1],
    ),
    Row(
        "a file that was removed after it was attached",
        lambda exp, tmp, made: exp.generate(made),
        FileNotFoundError,
        "gone",
        given=lambda exp, tmp: [
            path := file(tmp / "gone"),
            made := attached(exp, to_copy=path),
            Path(path).unlink(),
            made,
        ][-1],
    ),
    Row(
        "two files for one place",
        lambda exp, tmp, made: exp.generate(made),
        FileExistsError,
        "to_symlink.*'same'.*another attached file",
        given=lambda exp, tmp: attached(exp, to_copy=file(tmp / "a/same"), to_symlink=file(tmp / "b/same")),
    ),
    Row(
        "a configured file that is no text",
        lambda exp, tmp, made: exp.generate(made),
        ParameterWriterError,
        "binary.*UTF-8",
        given=lambda exp, tmp: attached(exp, to_configure=file(tmp / "binary", b"\xff;x;\xfe")),
    ),
    Row(
        "a parameter that is no Unicode",
        lambda exp, tmp, made: exp.generate(made),
        ValueError,
        "model: parameter 'x'.*UTF-8",
        given=lambda exp, tmp: [
            made := model(exp, params={"x": "\udcff"}),
            made.attach_generator_files(to_configure=file(tmp / "text", ";x;")),
            made,
        ][-1],
    ),
    *(
        Row(f"tag {tag!r}", lambda exp, tmp, tag=tag: exp.generate(model(exp), tag=tag), error, "tag.*")
        for tag, error in [(3, TypeError), (b";", TypeError), ([";"], TypeError), ("a\nb", ValueError)]
    ),
    Row(
        "generate twice",
        lambda exp, tmp, made: exp.generate(made),
        FileExistsError,
        "model: its folder .*overwrite=True",
        given=lambda exp, tmp: exp.generate(made := model(exp)) or made,
    ),
    Row(
        "generate twice, one of three",
        lambda exp, tmp, made: exp.generate(model(exp, "a"), model(exp, "z"), made),
        FileExistsError,
        "model: its folder .*overwrite=True",
        given=lambda exp, tmp: exp.generate(made := model(exp)) or made,
    ),
    Row(
        "a file where the folder should be",
        lambda exp, tmp, _: exp.generate(model(exp), overwrite=True),
        FileExistsError,
        "model: .*no folder.*move it away",
        given=lambda exp, tmp: file(tmp / "exp/model"),
    ),
    Row(
        "a file where the experiment should be",
        lambda exp, tmp, other: other.generate(model(other)),
        FileExistsError,
        "here is no folder.*move it away",
        given=lambda exp, tmp: _over_a_file(tmp),
    ),
    Row(
        "two models in one folder",
        lambda exp, tmp: exp.generate(*(model(exp, name, path=str(tmp / "shared")) for name in "ab")),
        ValueError,
        "a and b have the same folder.*path=",
    ),
    Row(
        "overwriting the attached folder",
        lambda exp, tmp, made: exp.generate(made, overwrite=True),
        ValueError,
        "model: overwrite=True would delete.*choose another path",
        given=lambda exp, tmp: [
            made := model(exp, path=folder(tmp / "data")),
            made.attach_generator_files(to_copy=file(tmp / "data/input")),
            made,
        ][-1],
    ),
    *(
        Row(
            f"{method} below {place}",
            lambda exp, tmp, method=method, place=place: getattr(exp, method)(model(exp, path=f"{place}/model")),
            error,
            f"{place}.*(choose another|move it away)",
        )
        for method in ("generate", "start")
        for place, error in [
            ("/proc", PermissionError),
            ("/sys/kernel", PermissionError),
            ("/dev/full", NotADirectoryError),
            ("/dev/null/deep", NotADirectoryError),
        ]
    ),
    *(
        Row(
            f"{method} of one model that can and one that cannot",
            lambda exp, tmp, method=method: getattr(exp, method)(model(exp, "a"), model(exp, "b", path="/proc/b")),
            PermissionError,
            "/proc.*choose another",
        )
        for method in ("generate", "start")
    ),
    Row(
        "start over a file",
        lambda exp, tmp, _: exp.start(model(exp)),
        FileExistsError,
        "model.*no folder.*move it away",
        given=lambda exp, tmp: file(tmp / "exp/model"),
    ),
    Row(
        "start in a circle",
        lambda exp, tmp, _: exp.start(model(exp)),
        FileExistsError,
        "model.*no folder.*move it away",
        given=lambda exp, tmp: link(tmp / "exp/model", tmp / "exp/model"),
    ),
    Row(
        "start of a path that is too long",
        lambda exp, tmp: exp.start(model(exp, path=str(tmp / LONG[:300]))),
        OSError,
        "too long",
    ),
    Row(
        "start where the journal cannot be",
        lambda exp, tmp, _: exp.start(model(exp)),
        SmartSimError,
        r"cannot write the journal .*/exp/\.smartsim/journal\.jsonl.*writable",
        given=lambda exp, tmp: file(tmp / "exp/.smartsim"),
        launches=True,
    ),
]


def _over_a_file(tmp: Path) -> Experiment:
    """An experiment without exp_path, whose folder turns out to be a file."""
    here = Path.cwd()
    os.chdir(tmp)
    try:
        other = Experiment("here")
    finally:
        os.chdir(here)
    file(tmp / "here")
    return other


# --- launching --------------------------------------------------------------------------------------------------------


def _program(exp: Experiment, tmp: Path, change: Callable[[Path], object]) -> Model:
    """A model whose program is spoilt after the settings have been made."""
    path = tmp / "program"
    file(path, "#!/bin/sh\n", 0o755)
    made = model(exp, run_settings=settings(exp, str(path)))
    change(path)
    return made


def _start_with_another(exp: Experiment, tmp: Path, made: Model) -> None:
    sleeper = model(exp, "sleeper", run_settings=settings(exp, "sleep", exe_args=["1000"]))
    exp.start(sleeper, made)


LAUNCHING = [
    Row(
        f"program {what}",
        _start_with_another,
        SmartSimError,
        f"Job step model-0 failed to launch: .*program' {message}",
        given=lambda exp, tmp, change=change: _program(exp, tmp, change),
        launches=True,
    )
    for what, change, message in [
        ("removed", lambda path: path.unlink(), "does not exist: check"),
        ("without x bit", lambda path: path.chmod(0o644), "is not executable: allow"),
        ("now a folder", lambda path: [path.unlink(), path.mkdir()], "is a folder"),
        ("without an interpreter", lambda path: path.write_text("#!/no/such\n"), "cannot be started: the interpreter"),
        ("of no format", lambda path: path.write_bytes(b"\0\1\2"), "is neither a program"),
        ("now a circle", lambda path: [path.unlink(), path.symlink_to(path)], "cannot be started"),
    ]
]
LAUNCHING += [
    Row(
        "arguments too long for the kernel",
        lambda exp, tmp: _start_with_another(
            exp, tmp, model(exp, run_settings=settings(exp, exe_args=["x" * 3_000_000]))
        ),
        SmartSimError,
        "model-0 failed to launch: .*[Aa]rgument list too long",
        launches=True,
    ),
    Row(
        "output where a folder is",
        _start_with_another,
        SmartSimError,
        "model-0 failed to launch: cannot write output to .*model.out",
        given=lambda exp, tmp: folder(tmp / "exp/model/model.out") and model(exp),
        launches=True,
    ),
]


# --- databases --------------------------------------------------------------------------------------------------------


def _taken(exp: Experiment, tmp: Path) -> socket.socket:
    return socket.create_server(("127.0.0.1", free_ports()))


def _start_on_taken(exp: Experiment, tmp: Path, server: socket.socket) -> None:
    with server:
        exp.start(exp.create_database(port=server.getsockname()[1], interface="lo"))


def _database(exp: Experiment, **changes: Any) -> Any:
    return exp.create_database(**{"port": free_ports(), "interface": "lo", **changes})


DATABASES = [
    Row("two shards", lambda exp, tmp: _database(exp, db_nodes=2), SSUnsupportedError, "two shards.*db_nodes=1, or 3"),
    *(
        Row(f"db_nodes {count!r}", lambda exp, tmp, count=count: _database(exp, db_nodes=count), error, "db_nodes")
        for count, error in [(0, ValueError), (-1, ValueError), ("3", TypeError), (None, TypeError), (1.0, TypeError)]
    ),
    *(
        Row(f"port {port!r}", lambda exp, tmp, port=port: _database(exp, port=port), error, "port")
        for port, error in [
            (0, ValueError),
            (-6379, ValueError),
            (65536, ValueError),
            (10**30, ValueError),
            ("6379", TypeError),
            (None, TypeError),
            (6379.0, TypeError),
            (True, TypeError),
            ([6379], TypeError),
        ]
    ),
    Row(
        "ports beyond the last",
        lambda exp, tmp: _database(exp, port=55535, db_nodes=3),
        ValueError,
        "port 55535.*55535 is the highest",
    ),
    Row(
        "port taken",
        _start_on_taken,
        SmartSimError,
        r"(?s)failed during startup.*\d{5}.*use",
        given=_taken,
        launches=True,
    ),
    *(
        Row(f"interface {name!r}", lambda exp, tmp, name=name: _database(exp, interface=name), error, "interface must")
        for name, error in [
            ("", ValueError),
            ([], ValueError),
            (3, TypeError),
            (None, TypeError),
            (["lo", 3], TypeError),
            ("a b", ValueError),
        ]
    ),
    *(
        Row(f"hosts {hosts!r}", lambda exp, tmp, hosts=hosts: _database(exp, hosts=hosts), TypeError, "host")
        for hosts in [3, [3], {"a": 1}]
    ),
    Row("batch database", lambda exp, tmp: _database(exp, batch=True), SmartSimError, "local has no batch jobs"),
    Row(
        "database run command",
        lambda exp, tmp: _database(exp, run_command="srun"),
        SmartSimError,
        "local cannot start.*'srun'.*run_command=''",
    ),
    Row("database path int", lambda exp, tmp: _database(exp, path=3), TypeError, "path must be a str"),
    Row(
        "threads 0",
        lambda exp, tmp: _database(exp, threads_per_queue=0),
        ValueError,
        "threads_per_queue must be positive",
    ),
    Row(
        "threads text",
        lambda exp, tmp: _database(exp, inter_op_threads="2"),
        TypeError,
        "inter_op_threads must be an int",
    ),
    Row(
        "address before the start",
        lambda exp, tmp: _database(exp).get_address(),
        SmartSimError,
        "Could not find database address.*Start it first",
    ),
    Row(
        "setting before the start",
        lambda exp, tmp: _database(exp).set_db_conf("a", "b"),
        SmartSimError,
        "does not run.*Start it first",
    ),
    Row("setting a number", lambda exp, tmp: _database(exp).set_db_conf("a", 3), TypeError, "value must be a str"),
    Row(
        "checkpoints never",
        lambda exp, tmp: _database(exp).enable_checkpoints(0),
        ValueError,
        "frequency must be positive",
    ),
    Row("clients as text", lambda exp, tmp: _database(exp).set_max_clients("5"), TypeError, "clients must be an int"),
    Row(
        "walltime on local",
        lambda exp, tmp: _database(exp).set_walltime("1:00"),
        SmartSimError,
        "set_walltime.*no batch job",
    ),
    Row(
        "batch argument on local",
        lambda exp, tmp: _database(exp).set_batch_arg("a"),
        SmartSimError,
        "set_batch_arg.*no batch job",
    ),
    Row("cpus negative", lambda exp, tmp: _database(exp).set_cpus(-1), ValueError, "num_cpus must be positive"),
    Row(
        "database below /proc",
        lambda exp, tmp: exp.start(_database(exp, path="/proc/db")),
        PermissionError,
        "/proc.*choose another",
    ),
    *(
        Row(f"checkpoint {what}", lambda exp, tmp, path: exp.reconnect_orchestrator(path), error, message, given=given)
        for what, given, error, message in [
            ("None", lambda exp, tmp: None, TypeError, "checkpoint.*None"),
            ("int", lambda exp, tmp: 3, TypeError, "checkpoint.*3"),
            (
                "missing",
                lambda exp, tmp: str(tmp / "no.dat"),
                FileNotFoundError,
                "no checkpoint.*no.dat.*smartsim_db.dat",
            ),
            ("a folder", lambda exp, tmp: str(tmp), SmartSimError, "checkpoint .* cannot be read"),
            (
                "a circle",
                lambda exp, tmp: link(tmp / "circle", tmp / "circle"),
                FileNotFoundError,
                "no checkpoint.*circle",
            ),
            ("with NUL", lambda exp, tmp: "/a\0", FileNotFoundError, "no checkpoint"),
            ("empty", lambda exp, tmp: file(tmp / "c.dat", ""), SmartSimError, "c.dat is not a checkpoint"),
            ("other JSON", lambda exp, tmp: file(tmp / "c.dat", "[1]"), SmartSimError, "c.dat is not a checkpoint"),
            ("binary", lambda exp, tmp: file(tmp / "c.dat", b"\xff\0"), SmartSimError, "c.dat is not a checkpoint"),
            (
                "of 0.8",
                lambda exp, tmp: file(tmp / "c.dat", b"\x80\x04N."),
                SmartSimError,
                "0.8.*pickle.*start it with this",
            ),
            (
                "of a later version",
                lambda exp, tmp: file(tmp / "c.dat", '{"format": "smartsim database", "version": 99}'),
                SmartSimError,
                "version 99",
            ),
        ]
    ),
]

# --- objects for databases --------------------------------------------------------------------------------------------

ML = [
    Row("ML model of nothing", lambda exp, tmp: model(exp).add_ml_model("m", "TF"), ValueError, "'m' has no content"),
    Row("ML model backend", lambda exp, tmp: DBModel("m", "TFLITE", b"x"), ValueError, "'TFLITE'.*TF, TORCH, ONNX"),
    Row("ML model backend int", lambda exp, tmp: DBModel("m", 3, b"x"), ValueError, "3.*TF, TORCH, ONNX"),
    Row("ML model file", lambda exp, tmp: DBModel("m", "TF", model_file="/no/m.pb"), FileNotFoundError, "/no/m.pb"),
    Row(
        "ML model file a folder", lambda exp, tmp: DBModel("m", "TF", model_file=str(tmp)), FileNotFoundError, "no file"
    ),
    Row(
        "ML model file a circle",
        lambda exp, tmp, path: DBModel("m", "TF", model_file=path),
        FileNotFoundError,
        "no file",
        given=lambda exp, tmp: link(tmp / "circle", tmp / "circle"),
    ),
    Row("device", lambda exp, tmp: DBModel("m", "TF", b"x", device="TPU"), ValueError, "'TPU'.*CPU, GPU"),
    Row("device int", lambda exp, tmp: DBModel("m", "TF", b"x", device=0), ValueError, "0.*CPU, GPU"),
    Row(
        "devices of the CPU",
        lambda exp, tmp: DBModel("m", "TF", b"x", devices_per_node=2),
        SSUnsupportedError,
        "devices_per_node=2 needs device='GPU'",
    ),
    Row(
        "first device of the CPU",
        lambda exp, tmp: DBModel("m", "TF", b"x", first_device=1),
        SSUnsupportedError,
        "first_device=1 needs device='GPU'",
    ),
    Row(
        "numbered device",
        lambda exp, tmp: DBModel("m", "TF", b"x", device="GPU:1", devices_per_node=2),
        ValueError,
        "'GPU:1' names one device.*leave",
    ),
    Row(
        "no devices",
        lambda exp, tmp: DBScript("s", "x", device="GPU", devices_per_node=0),
        ValueError,
        "devices_per_node must be at least 1",
    ),
    Row(
        "devices text",
        lambda exp, tmp: DBScript("s", "x", device="GPU", devices_per_node="2"),
        TypeError,
        "devices_per_node must be an int",
    ),
    Row("script of nothing", lambda exp, tmp: model(exp).add_script("s"), ValueError, "'s' has no content"),
    Row("script file", lambda exp, tmp: DBScript("s", script_path="/no/s.py"), FileNotFoundError, "/no/s.py"),
    Row("function None", lambda exp, tmp: model(exp).add_function("f"), ValueError, "'f' has no content"),
    Row(
        "ML model beside a database",
        lambda exp, tmp, made: made.add_ml_model("m", "TF", b"x"),
        SSUnsupportedError,
        "'m' is in memory.*model_path",
        given=lambda exp, tmp: _colocated(exp),
    ),
    Row(
        "function beside a database",
        lambda exp, tmp, made: made.add_function("f", len),
        SSUnsupportedError,
        "'f' is a function.*text or a file",
        given=lambda exp, tmp: _colocated(exp),
    ),
    Row(
        "ML model twice",
        lambda exp, tmp: [made := replicas(exp), *(made.add_ml_model("m", "TF", b"x") for _ in "ab")],
        SSUnsupportedError,
        "'m'",
    ),
    *(
        Row(
            f"colocated {options!r}",
            lambda exp, tmp, options=options: model(exp).colocate_db_tcp(**options),
            error,
            next(iter(options)),
        )
        for options, error in [
            ({"port": 0}, ValueError),
            ({"port": -1}, ValueError),
            ({"port": 70000}, ValueError),
            ({"port": "6379"}, TypeError),
            ({"db_cpus": 0}, ValueError),
            ({"db_cpus": 1.5}, TypeError),
            ({"custom_pinning": [-1]}, ValueError),
            ({"custom_pinning": [range(-2, 1)]}, ValueError),
            ({"custom_pinning": 3}, TypeError),
            ({"custom_pinning": ["1"]}, TypeError),
            ({"custom_pinning": [1.5]}, TypeError),
            ({"ifname": 3}, TypeError),
            ({"limit_app_cpus": True}, SSUnsupportedError),
            ({"inter_op_threads": 1, "inter_op_parallelism": 2}, TypeError),
        ]
    ),
    *(
        Row(
            f"colocated socket {name!r}",
            lambda exp, tmp, name=name: model(exp).colocate_db_uds(unix_socket=name),
            error,
            "unix_socket",
        )
        for name, error in [
            ("/tmp/a b", ValueError),
            ("/tmp/a;b", ValueError),
            ("/tmp/$x", ValueError),
            ("/tmp/a\n", ValueError),
            (3, TypeError),
            (None, TypeError),
        ]
    ),
]


def _colocated(exp: Experiment) -> Model:
    made = model(exp)
    made.colocate_db_tcp(port=free_ports())
    return made


# --- previews ---------------------------------------------------------------------------------------------------------

PREVIEWS = [
    *(
        Row(
            f"verbosity {level!r}",
            lambda exp, tmp, level=level: exp.preview(verbosity_level=level),
            ValueError,
            "verbosity.*info.*debug.*developer",
        )
        for level in ["loud", "", None, 3, ["info"]]
    ),
    *(
        Row(
            f"format {name!r}",
            lambda exp, tmp, name=name: exp.preview(output_format=name),
            PreviewFormatError,
            "output_format=.*plain_text",
        )
        for name in ["xml", "", None, 3]
    ),
    *(
        Row(
            f"preview into {what}",
            lambda exp, tmp, path=path: exp.preview(output_filename=path(tmp)),
            error,
            "output_filename",
        )
        for what, path, error in [
            ("a number", lambda tmp: 3, TypeError),
            ("nothing", lambda tmp: "", ValueError),
            ("a folder", str, IsADirectoryError),
            ("a folder that is not there", lambda tmp: str(tmp / "no/p.txt"), FileNotFoundError),
            ("a file as folder", lambda tmp: "/dev/null/p.txt", FileNotFoundError),
            ("/proc", lambda tmp: "/proc/p.txt", FileNotFoundError),
            ("NUL", lambda tmp: str(tmp / "a\0.txt"), ValueError),
            ("a long name", lambda tmp: str(tmp / LONG), OSError),
        ]
    ),
]

# --- the test ---------------------------------------------------------------------------------------------------------

ROWS = [*EXPERIMENT, *ENTITIES, *MAKING, *SETTINGS, *FILES, *LAUNCHING, *DATABASES, *ML, *PREVIEWS]


def tree(path: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder: the mode of each thing and, of files, the content."""
    found = {}
    for entry in sorted(path.rglob("*")):
        mode = entry.lstat().st_mode
        content = entry.read_bytes() if entry.is_file() and not entry.is_symlink() else b""
        found[str(entry.relative_to(path))] = (mode, content)
    return found


def test_there_are_enough_rows_and_each_has_a_name_of_its_own() -> None:
    assert len(ROWS) >= 80
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: re.sub(r"[^ -~]", "?", row.name)[:60])
def test_bad_input(
    row: Row, new_experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exp = new_experiment("exp", tmp_path / "exp")
    arguments = [] if row.given is None else [row.given(exp, tmp_path)]
    before, threads = without_launch(tree(tmp_path)) if row.launches else tree(tmp_path), threading.active_count()
    with pytest.raises(row.error) as caught:
        row.call(exp, tmp_path, *arguments)
    assert type(caught.value) is row.error, repr(caught.value)
    message = str(caught.value)
    assert re.search(row.message, message), message
    assert len(message) < 2_000
    after = tree(tmp_path)
    jobs = fold(read(journal_path(exp.exp_path))).jobs.values()
    if row.launches:
        assert all(job.state.terminal for job in jobs)
        after = without_launch(after)
    else:
        assert not jobs
        assert not exp.summary("plain").splitlines()[1:]
        assert threading.active_count() == threads
    assert after == before


OUTPUTS = ("out", "err")


def without_launch(found: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, bytes]]:
    """Leaves out the journal, the folders of entities, and the output of what ran beside the culprit."""
    allowed = {"exp/.smartsim", "exp/.smartsim/journal.jsonl", "exp/model", "exp/sleeper", "exp/orchestrator"}
    allowed |= {f"exp/{stem}.{kind}" for stem in ("sleeper/sleeper", "orchestrator/orchestrator_0") for kind in OUTPUTS}
    return {name: entry for name, entry in found.items() if name not in allowed}
