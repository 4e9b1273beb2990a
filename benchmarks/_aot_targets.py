"""Devices for which programs are compiled without the hardware."""

import importlib.util
import math
import os
import re
from collections.abc import Sequence
from typing import Any

H100 = {
    "threads_per_block_limit": 1024,
    "threads_per_warp": 32,
    "shared_memory_per_block": 48 << 10,
    "shared_memory_per_block_optin": 227 << 10,
    "shared_memory_per_core": 228 << 10,
    "threads_per_core_limit": 2048,
    "core_count": 132,
    "fpus_per_core": 128,
    "block_dim_limit_x": 2**31 - 1,
    "block_dim_limit_y": 2**16 - 1,
    "block_dim_limit_z": 2**16 - 1,
    "memory_bandwidth": 3_352_320_000_000,
    "l2_cache_size": 50 << 20,
    "clock_rate_ghz": 1.98,
    "device_memory_size": 79 << 30,
    "registers_per_core_limit": 1 << 16,
    "registers_per_block_limit": 1 << 16,
}
"""An H100 SXM as XLA describes a GPU: bytes, bytes per second, numbers of threads."""

TARGETS = {
    "cpu_1": ("cpu", "1"),
    "cpu_8": ("cpu", "8"),
    "h100_1": ("cuda", "1x1x1"),
    "h100_8": ("cuda", "1x1x8"),
    "h100_2x8": ("cuda", "1x2x8"),
    "v5e_1": ("tpu", "v5e:2x2"),
    "v5e_4x4": ("tpu", "v5e:4x4"),
    "v5e_16x16": ("tpu", "v5e:16x16"),
    "here": ("here", "1"),
}
"""Name -> platform and topology: slices x hosts x devices of GPUs, a grid of TPUs.

"here" is the first device of this machine. Programs run on it, too, and are timed.
"""

REFERENCES = {"cpu": "cpu_1", "cuda": "h100_1", "tpu": "v5e_1", "here": "here"}
"""The target with one device of each platform."""

PACKAGES = {
    "cpu": (),
    "cuda": ("jax_plugins.xla_cuda12", "nvidia.cuda_nvcc"),
    "tpu": ("libtpu",),
    "here": (),
}


def check_targets(names: Sequence[str]) -> None:
    """Raise for a target that is unknown or lacks its compiler.

    Raises:
      ValueError: a target is unknown.
      ImportError: a package is not installed.
    """
    for name in names:
        if name not in TARGETS:
            raise ValueError(
                f"--targets must be some of {', '.join(TARGETS)}; got {name!r}"
            )
        missing = [p for p in PACKAGES[TARGETS[name][0]] if not _is_installed(p)]
        if missing:
            raise ImportError(
                f"target {name} needs {', '.join(missing)}: pip install "
                "'noisejax[aot]', or leave the target out with --targets"
            )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def check_batch(name: str, batch: int) -> None:
    """Raise for a batch that the devices of a target do not divide.

    Raises:
      ValueError: see above.
    """
    count = math.prod(map(int, re.findall(r"\d+", TARGETS[name][1].split(":")[-1])))
    count = 1 if name in REFERENCES.values() else count
    if batch % count:
        raise ValueError(
            f"--batch={batch} must be a multiple of the {count} devices of {name}"
        )


def environment(name: str) -> dict[str, str]:
    """Return the environment of a process that compiles for a target."""
    platform, topology = TARGETS[name]
    if name == "here":
        return dict(os.environ)
    flags = ""
    if platform == "cpu":
        flags = f"--xla_force_host_platform_device_count={topology}"
    if platform == "cuda":
        spec = importlib.util.find_spec("nvidia.cuda_nvcc")
        [folder, *_] = spec.submodule_search_locations
        flags = (
            "--xla_gpu_autotune_level=0 --xla_gpu_enable_triton_gemm=false "
            f"--xla_gpu_cuda_data_dir={folder}"
        )
    return os.environ | {
        "XLA_FLAGS": flags,
        "JAX_PLATFORMS": "cpu",
        "TPU_SKIP_MDS_QUERY": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def get_devices(name: str) -> list[Any]:
    """Return the devices of a target, in a process with its environment."""
    import jax
    from jax.experimental import topologies

    platform, topology = TARGETS[name]
    if name == "here":
        return jax.devices()[:1]
    if platform == "cpu":
        return jax.devices("cpu")
    options = {"target_config": _describe_h100()} if platform == "cuda" else {}
    kind = {"topology": topology} if platform == "cuda" else {}
    found = topologies.get_topology_desc(
        platform=platform,
        topology_name="h100" if platform == "cuda" else topology,
        **kind,
        **options,
    )
    return list(found.devices)[:1] if name in REFERENCES.values() else found.devices


def _describe_h100() -> str:
    """Return the text form of XLA's GpuTargetConfigProto for an H100."""
    fields = " ".join(f"{name}: {value}" for name, value in H100.items())
    return (
        f"gpu_device_info {{ {fields} cuda_compute_capability {{ major: 9 }} }} "
        'platform_name: "CUDA" dnn_version_info { major: 9 minor: 7 } '
        "runtime_version { major: 12 minor: 8 } "
        'device_description_str: "NVIDIA H100 80GB HBM3"'
    )
