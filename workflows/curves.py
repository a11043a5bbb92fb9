"""``RefreshCurveWorkflow``: fetches a curve of prices or of CO2 from where it is published.

A schedule starts it every ten minutes for each such curve (``charging.timetable``), an operator by
``charging curve refresh``; most of the former find that there is nothing to do yet.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.curves import CurveActivities
    from charging import names
    from charging.planning.publication import CurveNews, CurveRefresh


@workflow.defn(name=names.Workflow.REFRESH_CURVE)
class RefreshCurveWorkflow:
    """One run at a time per curve. The points stay out of history."""

    @workflow.run
    async def run(self, wish: CurveRefresh) -> CurveNews:
        """What became of it. A source that fails is no failure of ours: it is asked again by the next run."""
        return await workflow.execute_activity_method(
            CurveActivities.refresh_curve,
            wish,
            start_to_close_timeout=timedelta(seconds=60),
            schedule_to_close_timeout=timedelta(minutes=5),
            summary=f"Fetch {wish.name}",
        )
