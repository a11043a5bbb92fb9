"""What the tables of CPO objects share: the key, a row, and good bodies sorted from broken ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Row, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from charging.ocpi.models import OcpiModel
from charging.ocpi.wire import Party, fold

Body = dict[str, Any]


@dataclass(frozen=True)
class ObjectKey:
    """Whose object it is: a peer can touch only its own."""

    connection_id: str
    country_code: str
    party_id: str
    id: str

    @property
    def party(self) -> Party:
        """The party that owns it."""
        return Party(self.country_code, self.party_id)

    def owner(self) -> dict[str, str]:
        """The columns that every table of objects has."""
        return {
            "connection_id": self.connection_id,
            "country_code": fold(self.country_code),
            "party_id": fold(self.party_id),
        }

    def values(self) -> dict[str, str]:
        """The columns of the primary key of a table of whole objects."""
        return {**self.owner(), "id": self.id}

    def of(self, table: Table, column: str = "id") -> ColumnElement[bool]:
        """The condition for this object in ``table``."""
        conditions = [table.c[name] == value for name, value in self.owner().items()]
        return and_(*conditions, table.c[column] == self.id)


def key_of(connection_id: str, body: Body) -> ObjectKey:
    """The key of an object whose fields were checked; a number is understood as the text that it should be."""
    return ObjectKey(connection_id, *(str(body[name]) for name in ("country_code", "party_id", "id")))


def keys_of(connection_id: str, broken: Iterable[tuple[Body, str]]) -> list[ObjectKey]:
    """The keys of those broken objects that at least say who they are."""
    fields = ("country_code", "party_id", "id")
    bodies = (body for body, _ in broken if all(isinstance(body.get(name), str) for name in fields))
    return [key_of(connection_id, body) for body in bodies]


async def object_row(store: AsyncConnection, table: Table, key: ObjectKey, *, lock: bool = False) -> Row[Any] | None:
    """The row of an object; ``lock`` keeps it from others until the transaction ends (SQLite's has it alone anyway)."""
    query = select(table).where(key.of(table))
    return (await store.execute(query.with_for_update() if lock else query)).first()


def sorted_out(model: type[OcpiModel], bodies: Iterable[Body]) -> tuple[list[Body], list[tuple[Body, str]]]:
    """The usable ones of ``bodies``, and the broken ones with what is wrong: a page may hold both."""
    good: list[Body] = []
    broken: list[tuple[Body, str]] = []
    for body in bodies:
        try:
            model.model_validate(body)
            good.append(body)
        except ValidationError as error:
            broken.append((body, str(error.errors(include_input=False, include_url=False))))
    return good, broken
