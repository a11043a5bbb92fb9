"""What the REST endpoints work with: readers and writers of sessions, built once in the lifespan."""

from dataclasses import dataclass

from fastapi import Request

from api.reserving import Reserver
from api.services import Services
from api.starting import Starter
from api.waits import Waits
from charging.event_relay import EventRelay
from charging.feed import Feed
from charging.live_costs import LiveCosts
from charging.ocpi.refresh import EvseRefresh
from charging.plan_book import PlanBooks
from charging.quoting import Quoter
from charging.scheduler import Scheduler
from charging.store.curves import CurveStore
from charging.store.evse_index import EvseIndex
from charging.store.evses_nearby import EvsesNearby
from charging.store.outbox import Outbox
from charging.store.profile_requests import ProfileRequestStore
from charging.store.reading import SessionReader
from charging.store.starts import StartStore
from charging.store.webhooks import WebhookStore


@dataclass(frozen=True)
class Desk:
    """Found at ``request.app.state.desk``."""

    services: Services
    reader: SessionReader
    starter: Starter
    reserver: Reserver
    profile_requests: ProfileRequestStore
    nearby: EvsesNearby
    refresh: EvseRefresh
    scheduler: Scheduler
    plans: PlanBooks
    outbox: Outbox
    feed: Feed
    webhooks: WebhookStore
    relay: EventRelay
    costs: LiveCosts
    quoter: Quoter
    waits: Waits

    async def close(self) -> None:
        """End what it has begun; before the services are closed."""
        await self.refresh.aclose()


def build_desk(services: Services) -> Desk:
    """A desk on top of ``services``."""
    database, connections = services.database, services.connections
    evses = EvseIndex(database, connections)
    refresh = EvseRefresh(database, connections, evses, services.peers)
    outbox = Outbox(database)
    feed = Feed(outbox, services.settings.max_event_streams)
    webhooks = WebhookStore(database, services.settings.secret_keys)
    return Desk(
        services=services,
        reader=SessionReader(database),
        starter=Starter(services, StartStore(database), evses, refresh),
        reserver=Reserver(services, refresh),
        profile_requests=ProfileRequestStore(database),
        nearby=EvsesNearby(database, connections),
        refresh=refresh,
        scheduler=Scheduler(database, CurveStore(database), services.settings.policy),
        plans=PlanBooks(database),
        outbox=outbox,
        feed=feed,
        webhooks=webhooks,
        relay=EventRelay(
            outbox, feed, webhooks, services.temporal, reports_jobs=services.settings.robot_jobs_url is not None
        ),
        costs=LiveCosts(database),
        quoter=Quoter(CurveStore(database)),
        waits=Waits(),
    )


def desk_of(request: Request) -> Desk:
    """The desk of this process."""
    desk: Desk = request.app.state.desk
    return desk
