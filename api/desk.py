"""What the REST endpoints work with: readers and writers of sessions, built once in the lifespan."""

from dataclasses import dataclass

from fastapi import Request

from api.reserving import Reserver
from api.services import Services
from api.starting import Starter
from charging.store.profile_requests import ProfileRequestStore
from charging.store.reading import SessionReader
from charging.store.starts import StartStore


@dataclass(frozen=True)
class Desk:
    """Found at ``request.app.state.desk``."""

    services: Services
    reader: SessionReader
    starter: Starter
    reserver: Reserver
    profile_requests: ProfileRequestStore


def build_desk(services: Services) -> Desk:
    """A desk on top of ``services``."""
    return Desk(
        services=services,
        reader=SessionReader(services.database),
        starter=Starter(services, StartStore(services.database)),
        reserver=Reserver(services),
        profile_requests=ProfileRequestStore(services.database),
    )


def desk_of(request: Request) -> Desk:
    """The desk of this process."""
    desk: Desk = request.app.state.desk
    return desk
