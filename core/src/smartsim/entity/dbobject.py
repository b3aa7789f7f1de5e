"""Machine-learning models and scripts that are put into a database before an entity starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from smartsim.entity import checks
from smartsim.error import SSUnsupportedError

__all__ = ["DBModel", "DBObject", "DBScript"]

_FuncT = TypeVar("_FuncT")

_BACKENDS = ("TF", "TORCH", "ONNX")


class DBObject(Generic[_FuncT]):
    """What models and scripts have in common: content from memory or from a file, and the devices to run on.

    Args:
        name: key in the database.
        func: the content, or None when it is in a file.
        file_path: file with the content, or None.
        device: ``CPU``, ``GPU`` or ``GPU:<n>``, upper or lower case.
        devices_per_node: number of devices of each node that get the object.
        first_device: number of the first of these devices.

    Attributes:
        name: as above.
        func: as above.
        file: absolute path of the file, or None.
        device: as above.
        devices_per_node: as above.
        first_device: as above.

    Raises:
        ValueError: neither content nor file was given, or the device is not known.
        FileNotFoundError: there is no such file.
        SSUnsupportedError: several devices, or one that is not the first, were asked of the CPU.
        TypeError: a number is not an int.
    """

    def __init__(
        self,
        name: str,
        func: _FuncT | None,
        file_path: str | None,
        device: str,
        devices_per_node: int,
        first_device: int,
    ) -> None:
        self.name = name
        self.func = func
        self.device = _checked_device(device, devices_per_node, first_device)
        self.devices_per_node = devices_per_node
        self.first_device = first_device
        if not func and not file_path:
            raise ValueError(f"{type(self).__name__} {name!r} has no content: give it in memory or as a file")
        self.file = _checked_file(file_path, name) if file_path else None

    @property
    def is_file(self) -> bool:
        """Whether the content is in a file."""
        return not self.func

    @property
    def devices(self) -> list[str]:
        """The devices that get the object, such as ``["GPU:0", "GPU:1"]``."""
        if self.device.upper() == "GPU" and self.devices_per_node > 1:
            last = self.first_device + self.devices_per_node
            return [f"GPU:{number}" for number in range(self.first_device, last)]
        return [self.device]

    def _lines(self) -> list[str]:
        lines = [f"Name: {self.name}"]
        if self.file is not None:
            lines.append(f"File: {self.file}")
        lines.append(f"Devices: {', '.join(self.devices)}")
        return lines

    def __str__(self) -> str:
        return "\n".join(self._lines())


class DBScript(DBObject[str | Callable[..., Any]]):
    """A TorchScript program.

    Args:
        name: key in the database.
        script: the program's text, or a function.
        script_path: file with the program's text.
        device: ``CPU``, ``GPU`` or ``GPU:<n>``.
        devices_per_node: number of devices of each node that get the script.
        first_device: number of the first of these devices.

    Raises:
        ValueError: neither text nor file was given, or the device is not known.
        FileNotFoundError: there is no such file.
        SSUnsupportedError: several devices, or one that is not the first, were asked of the CPU.
    """

    def __init__(
        self,
        name: str,
        script: str | Callable[..., Any] | None = None,
        script_path: str | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
    ) -> None:
        super().__init__(name, script, script_path, device, devices_per_node, first_device)

    @property
    def script(self) -> str | Callable[..., Any] | None:
        """The program given in memory, or None."""
        return self.func


class DBModel(DBObject[bytes]):
    """A trained machine-learning model.

    Args:
        name: key in the database.
        backend: ``TF``, ``TORCH`` or ``ONNX``, upper or lower case.
        model: the serialised model.
        model_file: file with the serialised model.
        device: ``CPU``, ``GPU`` or ``GPU:<n>``.
        devices_per_node: number of devices of each node that get the model.
        first_device: number of the first of these devices.
        batch_size: requests that are run together at most; 0 for no batching.
        min_batch_size: requests that are waited for.
        min_batch_timeout: longest such wait in milliseconds.
        tag: a remark that is stored with the model.
        inputs: names of the inputs (TF only).
        outputs: names of the outputs (TF only).

    Raises:
        ValueError: neither model nor file was given, or the backend or device is not known.
        FileNotFoundError: there is no such file.
        SSUnsupportedError: several devices, or one that is not the first, were asked of the CPU.
    """

    def __init__(
        self,
        name: str,
        backend: str,
        model: bytes | None = None,
        model_file: str | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: int = 0,
        tag: str = "",
        inputs: list[str] | None = None,
        outputs: list[str] | None = None,
    ) -> None:
        super().__init__(name, model, model_file, device, devices_per_node, first_device)
        self.backend = _checked_backend(backend)
        self.batch_size = batch_size
        self.min_batch_size = min_batch_size
        self.min_batch_timeout = min_batch_timeout
        self.tag = tag
        self.inputs = _names(inputs)
        self.outputs = _names(outputs)

    @property
    def model(self) -> bytes | None:
        """The model given in memory, or None."""
        return self.func

    def _lines(self) -> list[str]:
        lines = [*super()._lines(), f"Backend: {self.backend}"]
        lines += [
            f"{key}: {', '.join(names)}" for key, names in (("Inputs", self.inputs), ("Outputs", self.outputs)) if names
        ]
        return lines


def _names(value: str | Iterable[str] | None) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [] if value is None else list(value)


def _checked_backend(backend: Any) -> str:
    if not isinstance(backend, str) or backend.upper() not in _BACKENDS:
        raise ValueError(f"backend {backend!r} is not known: use one of {', '.join(_BACKENDS)}")
    return str(backend.upper())


def _checked_file(file_path: str, name: str) -> Path:
    file = os.path.realpath(file_path)
    if not os.path.isfile(file):  # noqa: PTH113 - a link that leads in a circle is no file, `Path` would raise
        raise FileNotFoundError(f"{name!r}: there is no file {file}: check its path")
    return Path(file)


def _checked_device(device: Any, devices_per_node: int, first_device: int) -> str:
    for argument, number, least in (("devices_per_node", devices_per_node, 1), ("first_device", first_device, 0)):
        checks.whole_number(argument, number, least)
    if not isinstance(device, str) or not device.upper().startswith(("CPU", "GPU")):
        raise ValueError(f"device {device!r} is not known: use CPU, GPU or GPU:<number>")
    if device.upper() == "CPU" and devices_per_node > 1:
        raise SSUnsupportedError(
            f"devices_per_node={devices_per_node} needs device='GPU': the CPU counts as one device"
        )
    if device.upper() == "CPU" and first_device > 0:
        raise SSUnsupportedError(f"first_device={first_device} needs device='GPU': the CPU counts as one device")
    if ":" in device and devices_per_node > 1:
        raise ValueError(
            f"device={device!r} names one device: leave its number out to use devices_per_node={devices_per_node}"
        )
    return str(device)
