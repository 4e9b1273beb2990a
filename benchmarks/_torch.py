"""Runs torch on the same kind of device and with the same cores as JAX."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks._bench import peer


class Torch:
    """Access to torch, if installed, on the kind of device that JAX uses."""

    def __init__(self):
        self.torch = peer("torch")
        if jax.default_backend() == "gpu" and self and not self.cuda:
            print("this torch has no CUDA: its variants are skipped", flush=True)
            self.torch = None

    def __bool__(self) -> bool:
        return self.torch is not None

    @property
    def cuda(self) -> bool:
        """True if torch computes on a GPU."""
        return jax.default_backend() == "gpu" and self.torch.cuda.is_available()

    @property
    def device(self) -> str:
        """Device of the tensors."""
        return "cuda" if self.cuda else "cpu"

    def tensor(self, x: Any) -> Any:
        """Copy a NumPy or JAX array, also in bfloat16, to a tensor."""
        x = jax.numpy.asarray(x)
        if x.dtype == jax.numpy.bfloat16:
            copied = self.torch.tensor(np.asarray(x.astype("float32")))
            return copied.to(self.device, self.torch.bfloat16)
        return self.torch.tensor(np.asarray(x), device=self.device)

    def waited(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """Return the function, changed to wait until the GPU has finished."""

        def wait():
            result = call()
            if self.cuda:
                self.torch.cuda.synchronize()
            return result

        return wait

    def sgd_step(
        self, loss_fn: Callable[[], Any], parameters: Any, **options: Any
    ) -> Callable[[], Any]:
        """Return a function that makes one more SGD step and returns the loss.

        Args:
          loss_fn: () -> loss.
          parameters: parameters of the network.
          **options: learning rate and momentum, as torch's SGD takes them.
        """
        sgd = self.torch.optim.SGD(parameters, **options)

        def step():
            loss = loss_fn()
            sgd.zero_grad(set_to_none=True)
            loss.backward()
            sgd.step()
            return loss.detach()

        return self.waited(step)


def to_numpy(array: Any) -> np.ndarray:
    """Return the values of a tensor or an array, in float32."""
    if hasattr(array, "detach"):
        return array.detach().float().cpu().numpy()
    return np.asarray(array, np.float32)
