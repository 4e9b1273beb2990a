"""Describes the machine of a measurement: device, cores, load and versions."""

import importlib.metadata
import os
import pathlib
import platform
import re
from typing import Any

import jax

PACKAGES = ("noisejax", "jax", "jaxlib", "flax", "equinox", "torch", "numpy")


def machine() -> dict[str, Any]:
    """Return device, host and versions, for every record and table."""
    return {
        "device": device_name(),
        "devices": jax.device_count(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_1min": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES if _version(name)},
    }


def device_name() -> str:
    """Return the accelerator's name in a form for file names, or `cpu`."""
    return re.sub(r"[^a-z0-9]+", "-", jax.devices()[0].device_kind.lower()).strip("-")


def _cpu() -> str:
    info = pathlib.Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.*)$", info.read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
