"""The stages of the other folders, for the tests that hold a row."""

from tests.workflows.conftest import skipping, stack, time_skipping

__all__ = ["skipping", "stack", "time_skipping"]
