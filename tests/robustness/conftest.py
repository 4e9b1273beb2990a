"""Programs compiled once per session, as in the training tests."""

from tests.training.conftest import compilation_cache as compilation_cache
