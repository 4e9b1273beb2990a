"""Needs 8 devices: XLA_FLAGS=--xla_force_host_platform_device_count=8 (make test)."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _eight_devices():
    if jax.device_count() < 8:
        pytest.skip(
            "needs 8 devices: run with "
            "XLA_FLAGS=--xla_force_host_platform_device_count=8, as make test does"
        )
