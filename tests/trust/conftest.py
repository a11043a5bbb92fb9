"""The stages of the other folders, for the tests that hold a row."""

from tests.api.conftest import any_api, api, lite, postgres_api, sqlite_api
from tests.kill.conftest import struck, take_stack
from tests.receive.conftest import desk
from tests.workflows.conftest import hasty, skipping, stack, time_skipping

__all__ = [
    "any_api",
    "api",
    "desk",
    "hasty",
    "lite",
    "postgres_api",
    "skipping",
    "sqlite_api",
    "stack",
    "struck",
    "take_stack",
    "time_skipping",
]
