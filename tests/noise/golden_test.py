import jax
import pytest

from tests import golden


@pytest.mark.parametrize("name", golden.SCHEMES)
@pytest.mark.parametrize("jit", [False, True])
def test_masks_are_stable(name, jit):
    def draw(key):
        return golden.SCHEMES[name].sample(key, golden.SHAPE)

    sample = (jax.jit(draw) if jit else draw)(jax.random.key(2015))
    assert golden.digest(sample) == golden.HASHES[name]
