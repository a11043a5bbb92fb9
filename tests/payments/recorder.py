"""A workflow for tests, in a file of its own: the sandbox imports the whole file of a workflow for each worker."""

from typing import Any

from temporalio import workflow


@workflow.defn(name="Recorder")
class Recorder:
    """Stands where the session's workflow does, and keeps what it is told."""

    def __init__(self) -> None:
        self._told: list[dict[str, Any]] = []

    @workflow.run
    async def run(self) -> list[dict[str, Any]]:
        await workflow.wait_condition(lambda: bool(self._told))
        return self._told

    @workflow.signal
    async def cdr_received(self, message: Any) -> None:
        self._told.append(message)
