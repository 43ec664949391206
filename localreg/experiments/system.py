"""What the machine of a training process is doing: CPU, memory, disk, and GPUs of NVIDIA.

| series under `system/<host>/` | unit |
|---|---|
| `cpu_percent`, `memory_percent`, `disk_percent` | of all processors, of main memory, of the disk that it works on |
| `memory_bytes`, `process_memory_bytes` | in use; of them by the process (resident) |
| `gpu<n>_percent`, `gpu<n>_memory_percent`, `gpu<n>_memory_bytes`, `gpu<n>_celsius` | of each GPU |
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from localreg.errors import InvalidInputError
from localreg.session.session import host

__all__ = ["system_metrics"]


def system_metrics() -> Callable[[], dict[str, Any]]:
    """What gives them, each time that it is called.

    Raises:
        InvalidInputError: psutil is not installed.
    """
    try:
        import psutil
    except ImportError as error:
        raise InvalidInputError("psutil is not installed: pip install 'localreg-registry[system]'") from error
    process = psutil.Process()
    psutil.cpu_percent()  # since the last call: this is the first
    gpus = _gpus()

    def look() -> dict[str, Any]:
        memory = psutil.virtual_memory()
        told = {
            "cpu_percent": psutil.cpu_percent(),
            "memory_percent": memory.percent,
            "memory_bytes": memory.used,
            "disk_percent": psutil.disk_usage(os.getcwd()).percent,
            "process_memory_bytes": process.memory_info().rss,
            **{name: value for number, gpu in enumerate(gpus) for name, value in _of_gpu(number, gpu)},
        }
        return {"system": {host(): told}}

    return look


def _gpus() -> list[Any]:
    """Handles of NVIDIA's GPUs; none without their library, or their driver."""
    with suppress(Exception):  # the library has errors of its own for a machine without a driver
        import pynvml

        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    return []


def _of_gpu(number: int, gpu: Any) -> Iterator[tuple[str, float]]:
    import pynvml

    with suppress(pynvml.NVMLError):  # some cards do not tell everything
        memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
        yield f"gpu{number}_memory_bytes", memory.used
        yield f"gpu{number}_memory_percent", 100 * memory.used / memory.total
        yield f"gpu{number}_percent", pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu
        yield f"gpu{number}_celsius", pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU)
