"""The wallet at EV Pass on the other end of real HTTP: each movement once, whatever is lost."""

from decimal import Decimal

import pytest

from charging.neighbours.call import Neighbour
from charging.neighbours.evpass import EvPassWallet
from charging.payments.port import PaymentOutcome, PaymentsRefused, PaymentsUnavailable
from tests.neighbours.conftest import PATIENCE_S, Town


@pytest.fixture
def wallet(town: Town) -> EvPassWallet:
    neighbour = Neighbour("EV Pass", str(town.settings.payments_url), town.settings.evpass_key, PATIENCE_S)
    return EvPassWallet(neighbour)


async def hold(wallet: EvPassWallet, key: str = "hold/1", amount: str = "50") -> PaymentOutcome:
    return await wallet.hold(key=key, session_id="S1", user_id="ada", amount=Decimal(amount), currency="EUR")


async def capture(wallet: EvPassWallet, key: str, amount: str) -> PaymentOutcome:
    return await wallet.capture(key=key, session_id="S1", user_id="ada", amount=Decimal(amount), currency="EUR")


async def test_hold_capture_release_and_refund_move_the_balance(wallet: EvPassWallet) -> None:
    assert await hold(wallet) is PaymentOutcome.DONE
    assert await wallet.available("ada", "EUR") == 950
    assert await capture(wallet, "capture/1", "12.50") is PaymentOutcome.DONE
    released = await wallet.release(key="release/1", session_id="S1", user_id="ada", currency="EUR")
    assert (released, await wallet.available("ada", "EUR")) == (PaymentOutcome.DONE, Decimal("987.50"))
    refund = {"session_id": "S1", "user_id": "ada", "currency": "EUR"}
    assert await wallet.refund(key="refund/1", amount=Decimal("12.50"), **refund) is PaymentOutcome.DONE
    assert await wallet.refund(key="refund/2", amount=Decimal("0.01"), **refund) is PaymentOutcome.DECLINED
    assert await wallet.available("ada", "EUR") == 1000


async def test_what_the_wallet_does_not_have_is_declined_for_ever(wallet: EvPassWallet) -> None:
    assert await hold(wallet, amount="1000.01") is PaymentOutcome.DECLINED
    assert await hold(wallet, amount="1000.01") is PaymentOutcome.DECLINED
    assert await wallet.available("ada", "EUR") == 1000


@pytest.mark.parametrize("mishap", ["error_before", "error_after", "hang_after"])
async def test_a_lost_answer_is_asked_for_again_and_moves_once(town: Town, wallet: EvPassWallet, mishap: str) -> None:
    await town.mishaps(mishap, on="/v1/wallet/captures")
    with pytest.raises(PaymentsUnavailable):
        await capture(wallet, "capture/1", "12.50")
    for _ in range(2):
        assert await capture(wallet, "capture/1", "12.50") is PaymentOutcome.DONE
    assert await wallet.available("ada", "EUR") == Decimal("987.50")


async def test_a_key_that_stands_for_something_else_is_shown_to_people(wallet: EvPassWallet) -> None:
    await hold(wallet)
    with pytest.raises(PaymentsRefused, match="409"):
        await hold(wallet, amount="51")
    assert await wallet.available("ada", "EUR") == 950
