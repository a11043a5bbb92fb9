"""The wallet at EV Pass on the other end of real HTTP: each movement once, whatever is lost."""

from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from charging.neighbours.call import Neighbour
from charging.neighbours.evpass import EvPassWallet
from charging.payments.port import Funds, PaymentOutcome, PaymentsRefused, PaymentsUnavailable
from charging.sandbox.neighbours.app import create_app
from charging.sandbox.neighbours.settings import NeighbourSettings
from tests.neighbours.conftest import PATIENCE_S, Town
from tests.serving import serve


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


@pytest.mark.trust("1.56")
async def test_a_hold_that_expired_is_made_good_from_the_balance_or_declined(town: Town, wallet: EvPassWallet) -> None:
    await hold(wallet)
    assert await town.tell("evpass/expire", {"session_id": "S1"}) == {"expired": 1}
    assert await capture(wallet, "capture/1", "12.50") is PaymentOutcome.DONE
    await town.tell("evpass/withdrawals", {"user_id": "ada", "amount": 987})
    assert await capture(wallet, "capture/2", "1.00") is PaymentOutcome.DECLINED
    await wallet.release(key="release/1", session_id="S1", user_id="ada", currency="EUR")
    assert await wallet.available("ada", "EUR") == Decimal("0.50")
    assert await wallet.funds(session_id="S1", currency="EUR") == Funds(Decimal(0), Decimal("12.5"), Decimal(0))


async def test_what_is_known_outlives_the_process(tmp_path: Path) -> None:
    """The tokens that EV Pass has signed, the balances, the payments and what Robot Jobs has heard."""
    settings = NeighbourSettings()
    key = {"X-API-Key": settings.api_key.get_secret_value(), "Idempotency-Key": "one"}
    order = {"amount": 12.5, "currency": "EUR"}
    reads = ("/.well-known/jwks.json", "/v1/wallet/sessions/S1?currency=EUR", "/admin/payments", "/admin/jobs?job_id=7")
    seen = []
    for _ in range(2):
        app = create_app(settings, tmp_path / "neighbours.db")
        async with serve(app) as url, httpx.AsyncClient(base_url=url, headers=key) as http:
            await http.post("/v1/wallet/captures", json={"user_id": "ada", "session_id": "S1", **order})
            await http.post("/v1/payment-intents", json={"booking_id": "S1", **order})
            await http.post("/v1/charging-events", json={"job_id": "7", "id": "one"})
            seen.append([(await http.get(path)).json() for path in reads])
            app.state.journal.close()
    assert seen[0] == seen[1]
    assert seen[0][1]["captured"] == 12.5
