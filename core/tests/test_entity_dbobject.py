"""`DBModel` and `DBScript`: what they hold and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartsim.entity import DBModel, DBScript
from smartsim.error import SSUnsupportedError


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({}, ValueError),
        ({"script": ""}, ValueError),
        ({"script_path": ""}, ValueError),
        ({"script_path": "missing"}, FileNotFoundError),
        ({"script_path": "."}, FileNotFoundError),
        ({"script": "x", "device": "TPU"}, ValueError),
        ({"script": "x", "device": ""}, ValueError),
        ({"script": "x", "device": None}, ValueError),
        ({"script": "x", "device": "CPU", "devices_per_node": 2}, SSUnsupportedError),
        ({"script": "x", "device": "cpu", "first_device": 1}, SSUnsupportedError),
        ({"script": "x", "device": "GPU:1", "devices_per_node": 2}, ValueError),
        ({"script": "x", "device": "GPU", "devices_per_node": 0}, ValueError),
        ({"script": "x", "device": "GPU", "first_device": -1}, ValueError),
        ({"script": "x", "device": "GPU", "devices_per_node": "2"}, TypeError),
        ({"script": "x", "device": "GPU", "first_device": 1.0}, TypeError),
    ],
)
def test_refused(kwargs, error, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        DBScript("s", **kwargs)
    renamed = {{"script": "model", "script_path": "model_file"}.get(key, key): value for key, value in kwargs.items()}
    with pytest.raises(error):
        DBModel("m", "TF", **renamed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["TFLITE", "", None, "caffe"])
def test_unknown_backends(backend):
    with pytest.raises(ValueError, match="TF, TORCH, ONNX"):
        DBModel("m", backend, b"x")


@pytest.mark.parametrize(
    ("device", "number", "first", "devices"),
    [
        ("CPU", 1, 0, ["CPU"]),
        ("cpu", 1, 0, ["cpu"]),
        ("GPU", 1, 0, ["GPU"]),
        ("GPU", 1, 3, ["GPU"]),
        ("GPU", 3, 0, ["GPU:0", "GPU:1", "GPU:2"]),
        ("gpu", 2, 9, ["GPU:9", "GPU:10"]),
        ("GPU:2", 1, 0, ["GPU:2"]),
    ],
)
def test_devices(device: str, number: int, first: int, devices: list[str]):
    assert DBScript("s", "text", device=device, devices_per_node=number, first_device=first).devices == devices


def test_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(b"x")
    model = DBModel("m", "onnx", model_file="m.onnx")
    assert (model.file, model.is_file, model.model, model.inputs, model.outputs) == (
        tmp_path.resolve() / "m.onnx",
        True,
        None,
        [],
        [],
    )
    assert str(model) == f"Name: m\nFile: {tmp_path.resolve()}/m.onnx\nDevices: CPU\nBackend: ONNX"
    memory = DBModel("m", "TF", b"x", inputs=["a", "b"], outputs="c")
    assert (memory.file, memory.is_file, memory.model) == (None, False, b"x")
    assert str(memory) == "Name: m\nDevices: CPU\nBackend: TF\nInputs: a, b\nOutputs: c"
    assert DBScript("f", len).script is len
