"""The embedded wallet: double entry, each key once, nobody below zero, one after another."""

import asyncio
import uuid
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charging.payments.port import PaymentOutcome, PaymentsUnavailable
from charging.payments.wallet import Wallet
from charging.store import ledger
from charging.store.engine import Database
from charging.store.ledger import Leg
from charging.store.tables import ledger as ledger_table
from tests.payments.factory import balances, count

DONE, DECLINED = PaymentOutcome.DONE, PaymentOutcome.DECLINED


@pytest.fixture
def wallet(database: Database) -> Wallet:
    return Wallet(database, Decimal("100.00"))


class Purse:
    """One user's session in a wallet, so that a test reads as what is done with the money."""

    def __init__(self, wallet: Wallet, user: str = "ada", session: str = "s1") -> None:
        self.wallet, self.user, self.session = wallet, user, session

    async def do(self, kind: str, amount: str = "0", key: str | None = None) -> PaymentOutcome:
        facts = {"key": key or uuid.uuid4().hex, "session_id": self.session, "user_id": self.user, "currency": "EUR"}
        if kind == "release":
            return await self.wallet.release(**facts)
        methods = {"hold": self.wallet.hold, "capture": self.wallet.capture, "refund": self.wallet.refund}
        return await methods[kind](**facts, amount=Decimal(amount))

    async def available(self) -> Decimal:
        return await self.wallet.available(self.user, "EUR")


@pytest.fixture
def purse(wallet: Wallet) -> Purse:
    return Purse(wallet)


async def test_a_session_pays_from_its_hold_and_the_rest_comes_back(purse: Purse, database: Database) -> None:
    assert await purse.available() == 100
    assert await purse.do("hold", "50") is DONE
    assert await purse.available() == 50
    assert await purse.do("capture", "12.50") is DONE
    assert await purse.do("release") is DONE
    assert await balances(database) == {
        "world": -100,
        "user/ada/available": Decimal("87.5"),
        "session/s1/held": 0,
        "session/s1/paid": Decimal("12.5"),
    }


async def test_a_hold_beyond_what_is_available_is_declined(purse: Purse) -> None:
    assert await purse.do("hold", "100.01") is DECLINED
    assert await purse.available() == 100


async def test_a_capture_beyond_the_hold_takes_the_rest_from_the_user(purse: Purse) -> None:
    await purse.do("hold", "50")
    assert await purse.do("capture", "60") is DONE
    assert await purse.available() == 40


async def test_a_capture_that_nothing_covers_takes_nothing(purse: Purse, database: Database) -> None:
    await purse.do("hold", "50")
    assert await purse.do("capture", "100.01") is DECLINED
    assert (await balances(database))["session/s1/held"] == 50


async def test_a_refund_gives_back_no_more_than_was_paid(purse: Purse) -> None:
    await purse.do("capture", "10")
    assert await purse.do("refund", "10.01") is DECLINED
    assert await purse.do("refund", "10") is DONE
    assert await purse.available() == 100


async def test_releasing_nothing_is_fine(purse: Purse) -> None:
    assert await purse.do("release") is DONE
    assert await purse.available() == 100


@pytest.mark.parametrize("amount", ["60", "200"])
async def test_the_same_key_answers_the_first_outcome_for_ever(purse: Purse, amount: str) -> None:
    first = await purse.do("hold", amount, key="hold/s1")
    before = await purse.available()
    await purse.do("hold", "1")
    assert await purse.do("hold", "1", key="hold/s1") is first
    assert await purse.available() == before - 1


async def test_each_user_and_currency_has_a_wallet_of_its_own(wallet: Wallet) -> None:
    await Purse(wallet, "ada").do("capture", "70")
    assert await Purse(wallet, "bob", "s2").do("capture", "70") is DONE
    assert await wallet.available("ada", "SEK") == 100
    assert await wallet.available("ada", "EUR") == 30


async def test_a_long_user_id_fits(wallet: Wallet) -> None:
    assert await Purse(wallet, "x" * 255).do("hold", "1") is DONE


async def test_a_negative_amount_is_a_mistake_of_the_caller(purse: Purse) -> None:
    with pytest.raises(ValueError, match="not negative"):
        await purse.do("capture", "-1")


async def test_many_at_once_spend_the_balance_once(wallet: Wallet, database: Database) -> None:
    purses = [Purse(wallet, session=f"s{n}") for n in range(8)]
    outcomes = await asyncio.gather(*(purse.do("hold", "30") for purse in purses))
    assert sorted(outcomes) == [DECLINED] * 5 + [DONE] * 3
    assert (await balances(database))["user/ada/available"] == 10


async def test_one_key_many_times_at_once_moves_once(purse: Purse, database: Database) -> None:
    outcomes = await asyncio.gather(*(purse.do("capture", "5", key="capture/1") for _ in range(8)))
    assert set(outcomes) == {DONE}
    assert (await balances(database))["session/s1/paid"] == 5


async def test_the_ledger_refuses_a_transfer_that_makes_money(database: Database) -> None:
    async with database.write() as connection:
        for legs in ([Leg("a", 1)], []):
            with pytest.raises(ValueError, match="add up to 0"):
                await ledger.post(connection, "k", legs, currency="EUR", session_id=None)
    assert await count(database, ledger_table, ledger_table.c.transfer_key == "k") == 0


async def test_a_database_that_is_away_is_payments_unavailable() -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(PaymentsUnavailable):
        await Purse(Wallet(away, Decimal(1))).do("hold", "1")
    await away.close()


MOVES = st.tuples(
    st.sampled_from(["hold", "capture", "release", "refund"]),
    st.integers(0, 9000).map(lambda cents: str(Decimal(cents) / 100)),
    st.integers(0, 5),  # few keys, so that they repeat
    st.sampled_from(["s1", "s2"]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(MOVES, max_size=12))
async def test_any_sequence_keeps_the_books(
    moves: list[tuple[str, str, int, str]], wallet: Wallet, database: Database
) -> None:
    """Legs add up to 0, nobody is below zero (``balances`` checks both), a key has one outcome and moves once."""
    user, run = uuid.uuid4().hex, uuid.uuid4().hex  # the database outlives the example
    await Purse(wallet, user, run).do("release")  # opens the wallet
    first: dict[str, PaymentOutcome] = {}
    for kind, amount, number, session in moves:
        key = f"{number}/{run}"
        before = await balances(database)
        outcome = await Purse(wallet, user, f"{session}/{run}").do(kind, amount, key)
        moved = {k: v for k, v in (await balances(database)).items() if v != before.get(k, 0)}
        if key in first or outcome is DECLINED:
            assert not moved
        assert outcome is first.setdefault(key, outcome)
