"""What is in a workflow's history."""

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle

from benches.bare_workflow import Amount

Handle = WorkflowHandle[Any, Any]

_QUIET_S = 0.25


async def history(handle: Handle) -> list[HistoryEvent]:
    """All events."""
    return list((await handle.fetch_history()).events)


async def quiet(handle: Handle) -> int:
    """The number of events, once nothing is under way any more and nothing has happened for a moment."""
    seen = -1
    while True:
        now = await handle.describe()
        raw = now.raw_description
        busy = bool(raw.pending_activities) or raw.HasField("pending_workflow_task")
        if not busy and now.history_length == seen:
            return seen
        seen = now.history_length
        await asyncio.sleep(_QUIET_S)


def amount(events: list[HistoryEvent]) -> Amount:
    """How many activities, local activities and signals there are in ``events``."""
    types = Counter(event.event_type for event in events)
    return Amount(
        activities=types[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED],
        local_activities=types[EventType.EVENT_TYPE_MARKER_RECORDED],
        signals=types[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED],
    )


def actions(events: list[HistoryEvent]) -> dict[str, int]:
    """What Temporal Cloud bills of ``events``, whole histories one after the other: each of these is an Action.

    Local activities of one workflow task are one together (docs.temporal.io, Temporal Cloud Actions).
    """
    types = Counter(event.event_type for event in events)
    runs, tasks = 0, set()
    for event in events:
        runs += event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            tasks.add((runs, event.marker_recorded_event_attributes.workflow_task_completed_event_id))
    return {
        "workflow starts": types[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED],
        "signals": types[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED],
        "activities": types[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED],
        "workflow tasks with local activities": len(tasks),
        "timers": types[EventType.EVENT_TYPE_TIMER_STARTED],
        "search attribute upserts": types[EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES],
    }


def between_timers(events: list[HistoryEvent]) -> list[int]:
    """How many events there are from each timer that fired to the next one."""
    fired = [event.event_id for event in events if event.event_type == EventType.EVENT_TYPE_TIMER_FIRED]
    return [after - before for before, after in pairwise(fired)]
