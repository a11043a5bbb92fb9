"""``CurveActivities``: curves of prices and of CO2, as the workflow that refreshes them uses it. Safe to repeat."""

from temporalio import activity

from charging.curve_refresher import CurveRefresher
from charging.planning.publication import CurveNews, CurveRefresh
from charging.temporal import drop_curve_schedule


class CurveActivities:
    """Fetches a curve."""

    def __init__(self, refresher: CurveRefresher) -> None:
        self._refresher = refresher

    @activity.defn
    async def refresh_curve(self, wish: CurveRefresh) -> CurveNews:
        """Fetch a curve if its turn has come, and have the sessions told that it concerns.

        One that is gone, or is not published anywhere any more, takes its schedule with it.
        """
        news = await self._refresher.refresh(wish)
        if news is None:
            await drop_curve_schedule(activity.client(), wish.name)
        return news or CurveNews()
