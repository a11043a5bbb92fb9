"""The whole reconciliation: our own books, and then those of the neighbour that keeps the users' money."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from charging.payments.finding import UNCHECKED, Finding, SessionBooks, compared
from charging.payments.port import PaymentsBooks, PaymentsRefused, PaymentsUnavailable
from charging.store.engine import Database
from charging.store.reconciliation import reconcile
from charging.store.session_books import books_of, pages_of_books

AT_ONCE: Final = 8  # look-ups under way
ENOUGH_SILENCE: Final = 8  # so many without an answer in a row, and the neighbour is not asked any more


async def reconcile_with(database: Database, partner: PaymentsBooks | None, now: datetime) -> AsyncIterator[Finding]:
    """All that is wrong. ``partner``: who keeps the money besides our ledger; None: nobody."""
    async for finding in reconcile(database, now, has_partner=partner is not None):
        yield finding
    if partner is not None:
        async for finding in _Inquiry(database, partner, now).findings():
            yield finding


class _Inquiry:
    """Asks about one session after the other, a few at once."""

    def __init__(self, database: Database, partner: PaymentsBooks, now: datetime) -> None:
        self._database = database
        self._partner = partner
        self._now = now
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._silence = 0
        self._not_asked = 0

    async def findings(self) -> AsyncIterator[Finding]:
        async for page in pages_of_books(self._database, self._now, with_holds=self._partner.keeps_holds):
            for found in await asyncio.gather(*map(self._look, page)):
                for finding in found:
                    yield finding
        if self._not_asked:
            detail = f"{self._not_asked} more sessions were not asked about: it does not answer"
            yield Finding(UNCHECKED, self._partner.name, detail)

    async def _look(self, books: SessionBooks) -> list[Finding]:
        async with self._turns:
            if self._silence >= ENOUGH_SILENCE:
                self._not_asked += 1
                return []
            try:
                found = await self._compare(books)
            except PaymentsUnavailable as error:
                self._silence += 1
                return [Finding(UNCHECKED, books.session_id, f"not checked: {error}")]
            except PaymentsRefused as error:
                return [Finding(UNCHECKED, books.session_id, f"not checked: {error}")]
            self._silence = 0
            return found

    async def _compare(self, books: SessionBooks) -> list[Finding]:
        """What is wrong, and stays so: money may have moved between the two looks."""
        while True:
            funds = await self._partner.funds(session_id=books.session_id, currency=books.currency)
            found = [*compared(books, funds, self._partner.name)]
            if not found:
                return []
            again = await books_of(self._database, books.session_id, self._now)
            if again == books:
                return found
            books = again
