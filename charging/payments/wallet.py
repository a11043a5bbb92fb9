"""The embedded wallet: ``PaymentsPort`` on the double-entry ``ledger`` table, for one machine and for tests.

Accounts: ``user/{user}/available``, ``session/{id}/held``, ``session/{id}/paid`` and ``world``, where every opening
balance comes from. None but ``world`` is ever negative. A declined transfer is remembered as one leg of 0 on the
account ``declined``, so that its key answers the same for ever.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from charging.errors import StoreUnavailable
from charging.money import from_minor, to_minor
from charging.payments.port import PaymentOutcome, PaymentsUnavailable
from charging.store import ledger
from charging.store.engine import Database
from charging.store.ledger import Leg

_WORLD: Final = "world"
_DECLINED: Final = Leg("declined", 0)


class _Accounts(NamedTuple):
    """The three accounts that one session's money moves between."""

    available: str
    held: str
    paid: str


class _Balances(NamedTuple):
    """What is on them, in minor units."""

    available: int
    held: int
    paid: int


_Rule = Callable[[_Accounts, _Balances], list[Leg] | None]
"""The legs of a transfer, None where the money does not reach."""


class Wallet:
    """A wallet for each user and currency, opened with ``opening_balance`` the first time it is touched.

    Transfers of one user are done one after another, so no balance is spent twice. Raises ``PaymentsUnavailable``
    when the database is away.
    """

    def __init__(self, database: Database, opening_balance: Decimal) -> None:
        self._database = database
        self._opening_balance = opening_balance

    async def hold(self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str) -> PaymentOutcome:
        """Set ``amount`` aside for the session; DECLINED where less is available."""
        minor = _minor(amount, currency)

        def rule(accounts: _Accounts, has: _Balances) -> list[Leg] | None:
            if has.available < minor:
                return None
            return [Leg(accounts.available, -minor), Leg(accounts.held, minor)]

        return await self._transfer(key, session_id, user_id, currency, rule)

    async def capture(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Take ``amount`` from the hold, and what the hold lacks from the user; DECLINED takes nothing at all."""
        minor = _minor(amount, currency)

        def rule(accounts: _Accounts, has: _Balances) -> list[Leg] | None:
            from_hold = min(minor, has.held)
            rest = minor - from_hold
            if has.available < rest:
                return None
            return [Leg(accounts.held, -from_hold), Leg(accounts.available, -rest), Leg(accounts.paid, minor)]

        return await self._transfer(key, session_id, user_id, currency, rule)

    async def release(self, *, key: str, session_id: str, user_id: str, currency: str) -> PaymentOutcome:
        """Give back what is left of the hold, also where that is nothing."""

        def rule(accounts: _Accounts, has: _Balances) -> list[Leg]:
            return [Leg(accounts.held, -has.held), Leg(accounts.available, has.held)]

        return await self._transfer(key, session_id, user_id, currency, rule)

    async def refund(
        self, *, key: str, session_id: str, user_id: str, amount: Decimal, currency: str
    ) -> PaymentOutcome:
        """Give ``amount`` back; DECLINED where the session has not paid so much."""
        minor = _minor(amount, currency)

        def rule(accounts: _Accounts, has: _Balances) -> list[Leg] | None:
            if has.paid < minor:
                return None
            return [Leg(accounts.paid, -minor), Leg(accounts.available, minor)]

        return await self._transfer(key, session_id, user_id, currency, rule)

    async def available(self, user_id: str, currency: str) -> Decimal:
        """What the user can spend: the opening balance before the first transfer."""
        async with self._database.read() as connection:
            if not await ledger.legs_of(connection, _opening_key(user_id, currency)):
                return self._opening_balance
            account = f"user/{user_id}/available"
            return from_minor(await ledger.balance(connection, account, currency), currency)

    async def _transfer(self, key: str, session_id: str, user_id: str, currency: str, rule: _Rule) -> PaymentOutcome:
        accounts = _Accounts(f"user/{user_id}/available", f"session/{session_id}/held", f"session/{session_id}/paid")
        try:
            async with self._database.write() as connection:
                # Before the first read: two transfers that judged the same balance would both spend it.
                await ledger.lock(connection, user_id)
                legs = await ledger.legs_of(connection, key)
                if not legs:
                    await self._open(connection, user_id, currency)
                    has = _Balances(*[await ledger.balance(connection, each, currency) for each in accounts])
                    legs = rule(accounts, has) or [_DECLINED]
                    await ledger.post(connection, key, legs, currency=currency, session_id=session_id)
        except StoreUnavailable as error:
            raise PaymentsUnavailable("the wallet's database is away") from error
        return PaymentOutcome.DECLINED if _DECLINED in legs else PaymentOutcome.DONE

    async def _open(self, connection: AsyncConnection, user_id: str, currency: str) -> None:
        key = _opening_key(user_id, currency)
        if await ledger.legs_of(connection, key):
            return
        minor = _minor(self._opening_balance, currency)
        legs = [Leg(_WORLD, -minor), Leg(f"user/{user_id}/available", minor)]
        await ledger.post(connection, key, legs, currency=currency, session_id=None)


def _opening_key(user_id: str, currency: str) -> str:
    # Hashed: a user id may be longer than a key.
    return f"opening/{hashlib.sha256(user_id.encode()).hexdigest()}/{currency}"


def _minor(amount: Decimal, currency: str) -> int:
    if amount < 0:
        raise ValueError("an amount of money is not negative")
    return to_minor(amount, currency)
