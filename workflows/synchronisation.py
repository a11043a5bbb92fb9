"""``SynchroniseWorkflow``: pulls what a CPO has, module by module and page by page, until we have the same.

A schedule starts it for each connection (``charging.timetable``), an operator by ``charging cpo sync``.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.synchronisation import SynchronisationActivities
    from charging import names
    from charging.pulling import MAX_PAGES, Pull, Synchronisation

# Two minutes in all: then the module is left for this time, and the others are pulled.
PATIENCE = RetryPolicy(
    initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(minutes=1), maximum_attempts=9
)
STORE_CALL = timedelta(seconds=60)


@workflow.defn(name=names.Workflow.SYNCHRONISE)
class SynchroniseWorkflow:
    """One run at a time per connection. A module that fails does not keep the others from being pulled."""

    @workflow.init
    def __init__(self, wish: Synchronisation) -> None:
        self._wish = wish
        self._done = list(wish.done)

    @workflow.run
    async def run(self, wish: Synchronisation) -> list[Pull]:
        """Every pull that was made, with what became of its objects. ``wish`` was taken by ``__init__``."""
        waiting = await self._plan() if wish.waiting is None else list(wish.waiting)
        while waiting:
            pull = waiting.pop(0)
            self._show([*self._done, pull])
            while not (pull.is_over or pull.error):
                pull = await self._read_on(pull)
                self._show([*self._done, pull])
                if workflow.info().is_continue_as_new_suggested():
                    left = {"waiting": [pull, *waiting], "done": self._done}
                    workflow.continue_as_new(wish.model_copy(update=left))
            self._done.append(await self._end(pull))
            self._show(self._done)
        return self._done

    async def _plan(self) -> list[Pull]:
        return await workflow.execute_activity_method(
            SynchronisationActivities.plan_pulls,
            self._wish,
            start_to_close_timeout=STORE_CALL,
            summary="What is to be pulled",
        )

    async def _read_on(self, pull: Pull) -> Pull:
        if pull.pages >= MAX_PAGES:
            return pull.model_copy(update={"error": f"no end after {MAX_PAGES} pages"})
        try:
            return await workflow.execute_activity_method(
                SynchronisationActivities.pull_pages,
                pull,
                start_to_close_timeout=timedelta(minutes=3),
                heartbeat_timeout=timedelta(seconds=6),
                retry_policy=PATIENCE,
                summary=f"{pull.module}, from page {pull.pages + 1}",
            )
        except ActivityError as error:
            why = str(error.cause or error)
            workflow.logger.warning("a pull was given up")
            return pull.model_copy(update={"error": why[:500]})

    async def _end(self, pull: Pull) -> Pull:
        return await workflow.execute_activity_method(
            SynchronisationActivities.end_pull, pull, start_to_close_timeout=STORE_CALL, summary=f"{pull.module}: done"
        )

    def _show(self, pulls: list[Pull]) -> None:
        rows = [
            "| module | | pages | seen | created | changed | broken | missing | |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        workflow.set_current_details("\n".join([*rows, *map(_row, pulls)]))


def _row(pull: Pull) -> str:
    counts, kind = pull.counts, "full" if pull.full else "news"
    numbers = [counts.seen, counts.created, counts.changed, counts.broken, counts.missing]
    state = pull.error or ("done" if pull.is_over else "reading")
    return f"| {' | '.join(map(str, [pull.module, kind, pull.pages, *numbers, state]))} |"
