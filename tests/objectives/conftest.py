import pytest


@pytest.fixture(autouse=True)
def _strict(strict_promotion):
    yield
