"""Who keeps the users' money on a stack that is killed: how it is started, and what its own account says."""

from collections.abc import Mapping
from typing import Final, Protocol

from sqlalchemy import func, select

from charging.store import tables
from tests.embedded import Embedded
from tests.kill.barriers import Barrier


class Payer(Protocol):
    """What the tests need of one."""

    name: str
    environment: Mapping[str, str]  # for `charging up`

    def moving(self, kind: str) -> Barrier:
        """Refuses the movement of money itself: hold, capture, refund or release."""
        ...

    async def has_moved(self, stack: Embedded, kind: str, session_id: str) -> int:
        """How many movements of this kind it has made for the session."""
        ...

    async def has_spent(self, stack: Embedded) -> int:
        """What all users together have less than at first, in minor units: paid, or held."""
        ...


class EmbeddedWallet:
    """The wallet on the ledger, which is what `charging up` has by itself."""

    name = "wallet"
    environment: Mapping[str, str] = {}

    def moving(self, kind: str) -> Barrier:
        """The transfer's legs in the ledger."""
        return Barrier("INSERT ON ledger", f"NEW.transfer_key LIKE '{kind}/%'")

    async def has_moved(self, stack: Embedded, kind: str, session_id: str) -> int:
        """Transfers in the ledger."""
        key = tables.ledger.c.transfer_key
        query = select(func.count(key.distinct())).where(key.like(f"{kind}/{session_id}%"))
        ((count,),) = await stack.rows(query)
        return int(count)

    async def has_spent(self, stack: Embedded) -> int:
        """The opening balances, less what is available."""
        of = tables.ledger.c
        opened = select(func.coalesce(-func.sum(of.amount_minor), 0)).where(of.account == "world")
        available = select(func.coalesce(func.sum(of.amount_minor), 0)).where(of.account.like("user/%/available"))
        ((opening,),), ((left,),) = await stack.rows(opened), await stack.rows(available)
        assert opening == OPENING_BALANCE_MINOR
        return int(opening - left)


OPENING_BALANCE_MINOR: Final = 100_000
WALLET: Final = EmbeddedWallet()
