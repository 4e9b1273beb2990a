"""torch as a rival: on JAX's kind of device, with the same cores, waited for."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks._bench import peer


class Torch:
    """torch, if installed, on the device that JAX computes on."""

    def __init__(self):
        self.torch = peer("torch")
        if jax.default_backend() == "gpu" and self and not self.cuda:
            print("this torch has no CUDA: its variants are skipped", flush=True)
            self.torch = None

    def __bool__(self) -> bool:
        return self.torch is not None

    @property
    def cuda(self) -> bool:
        """Whether it computes on a GPU."""
        return jax.default_backend() == "gpu" and self.torch.cuda.is_available()

    @property
    def device(self) -> str:
        """Where its tensors belong."""
        return "cuda" if self.cuda else "cpu"

    def tensor(self, x: Any) -> Any:
        """A copy of a NumPy or JAX array, bfloat16 included."""
        x = jax.numpy.asarray(x)
        if x.dtype == jax.numpy.bfloat16:
            copied = self.torch.tensor(np.asarray(x.astype("float32")))
            return copied.to(self.device, self.torch.bfloat16)
        return self.torch.tensor(np.asarray(x), device=self.device)

    def waited(self, call: Callable[[], Any]) -> Callable[[], Any]:
        """The call, ended only when the GPU has finished its work."""

        def wait():
            result = call()
            if self.cuda:
                self.torch.cuda.synchronize()
            return result

        return wait

    def sgd_step(
        self, loss_fn: Callable[[], Any], parameters: Any, **options: Any
    ) -> Callable[[], Any]:
        """A call that makes one more SGD step and returns the loss.

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
    """A tensor's or an array's values, in float32."""
    if hasattr(array, "detach"):
        return array.detach().float().cpu().numpy()
    return np.asarray(array, np.float32)
