"""Statements that are written once and run on the driver's own connections (``charging.store.driver``)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, CompoundSelect, Delete, Dialect, Insert, Select, TypeDecorator, Update
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from charging.store.engine import Database
from charging.store.exact_json import from_json


class QuickRead:
    """Reads rows of ``statement``, whose bind parameters are given by name, converted as SQLAlchemy would.

    A parameter of an IN list is not among what it can do.
    """

    def __init__(self, database: Database, statement: Select[Any] | CompoundSelect[Any]) -> None:
        dialect = database.engine.dialect
        compiled = statement.compile(dialect=dialect)
        self._database = database
        self._sql = str(compiled)
        self._names = compiled.positiontup or []
        self._by_name = not self._names
        self._literals = compiled.params  # what the statement itself brings, such as the 1 of LIMIT 1
        self._converters = [_reading(column.type, dialect) for column in statement.selected_columns]

    async def one(self, **parameters: Any) -> list[Any] | None:
        """The first row's values in the statement's order, or None."""
        rows = await self.all(**parameters)
        return rows[0] if rows else None

    async def all(self, **parameters: Any) -> list[list[Any]]:
        """The values of every row, in the statement's order."""
        named = {**self._literals, **parameters}
        values: Any = named if self._by_name else [named[name] for name in self._names]
        return [self._converted(row) for row in await self._database.driver.fetch(self._sql, values)]

    def _converted(self, row: Sequence[Any]) -> list[Any]:
        return [
            convert(value) if convert and value is not None else value
            for convert, value in zip(self._converters, row, strict=True)
        ]


class QuickWrite:
    """One INSERT of one row, UPDATE or DELETE, whose bind parameters are given by name.

    ``columns``: those of an INSERT that are given; the others keep their default.
    """

    def __init__(self, database: Database, statement: Insert | Update | Delete, columns: Sequence[str] = ()) -> None:
        dialect = database.engine.dialect
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        self._sql = str(compiled)
        self._names = compiled.positiontup or []
        self._by_name = not self._names
        self._literals = {**compiled.params, **_defaults(statement)}
        self._writers = {name: _writing(bind.type, dialect) for bind, name in compiled.bind_names.items()}

    def of(self, parameters: Mapping[str, Any]) -> tuple[str, Any]:
        """The statement and what it is run with."""
        values = {**self._literals, **parameters}
        named = {name: write(values[name]) if write else values[name] for name, write in self._writers.items()}
        return self._sql, named if self._by_name else [named[name] for name in self._names]


def _defaults(statement: Insert | Update | Delete) -> dict[str, Any]:
    columns = statement.table.columns if isinstance(statement, Insert) else ()
    defaults = {column.name: column.default for column in columns}
    return {name: default.arg for name, default in defaults.items() if isinstance(default, ScalarElementColumnDefault)}


async def write_at_once(database: Database, statements: Sequence[tuple[str, Any]]) -> None:
    """``statements`` of ``QuickWrite.of`` in one transaction. Raises ``NotUnique``, and then has written nothing."""
    async with database.turn():
        await database.driver.write(statements)


def _reading(column_type: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(column_type, JSON):
        return None if dialect.name == "postgresql" else from_json
    if dialect.name == "postgresql":
        # psycopg makes Python values of everything; only our own types have something to add.
        ours = isinstance(column_type, TypeDecorator)
        return (lambda value: column_type.process_result_value(value, dialect)) if ours else None
    convert: Callable[[Any], Any] | None = column_type.dialect_impl(dialect).result_processor(dialect, None)
    return convert


def _writing(column_type: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    convert: Callable[[Any], Any] | None = column_type.dialect_impl(dialect).bind_processor(dialect)
    return convert
