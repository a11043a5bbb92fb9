"""``RecordActivities``: the store, as the workflow of a session uses it."""

from datetime import UTC, datetime

from temporalio import activity

from charging.live_costs import LiveCosts
from charging.session.answers import Publication
from charging.session.messages import LateSession
from charging.session.model import LiveMeter
from charging.store.decisions import DecisionStore


class RecordActivities:
    """Admission, publishing and the meter. Every one is safe to repeat."""

    def __init__(self, decisions: DecisionStore, costs: LiveCosts) -> None:
        self._decisions = decisions
        self._costs = costs

    @activity.defn
    async def admit(self, session_id: str) -> bool:
        """Turn ``accepted`` into ``running``; False when the API has given the session up (``abandoned``)."""
        return await self._decisions.admit(session_id)

    @activity.defn
    async def publish(self, publication: Publication) -> LiveMeter:
        """Write a session's decisions, events and profile answers; answers the meter stored by then."""
        await self._decisions.publish(publication)
        # A transaction of its own, after the commit: a push that the old limits let sleep is seen here.
        return await self.read_meter(publication.session_id)

    @activity.defn
    async def read_meter(self, session_id: str) -> LiveMeter:
        """The stored meter of a session, and what it costs by now."""
        return await self._costs.meter(session_id, datetime.now(UTC))

    @activity.defn
    async def ocpi_session_is_over(self, late: LateSession) -> bool:
        """Whether the stored Session of the CPO is COMPLETED or INVALID."""
        return await self._decisions.ocpi_session_is_over(late.session_id, late.connection_id, late.ocpi_session_id)
