"""The steps of a settlement, and a session held between each two of them."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import select

from charging.store import tables
from tests.embedded import Embedded
from tests.kill.barriers import Barrier
from tests.kill.payers import WALLET, Payer
from tests.kill.points import Charging, Point
from tests.kill.promises import assert_credited
from tests.waiting import eventually

# What our own store writes; what the payer moves is `Payer.moving`.
SEND_START = Barrier("UPDATE OF state ON commands")
WRITE_RECEIPT = Barrier("INSERT ON receipts")
RECORD_PAYMENT = Barrier("UPDATE OF state ON payments")
CONCLUDE = Barrier("INSERT ON events", "NEW.type LIKE 'payment_%'")  # the last statement of its transaction
PUBLISH = Barrier("UPDATE OF status ON sessions", "NEW.status = 'completed'", session="NEW.id")
TAKE_CORRECTION = Barrier("INSERT ON cdrs", "NEW.id LIKE 'COR-%'")


class Step(Point):
    """A session for which ``next`` is not done, and everything before it is. ``hangs``: see ``barriers``."""

    hangs = False

    def __init__(self, stack: Embedded, evse_id: str, payer: Payer = WALLET) -> None:
        super().__init__(stack, evse_id)
        self.payer = payer

    def next(self) -> Barrier:
        """The write that is held up."""
        raise NotImplementedError

    async def is_here(self) -> bool:
        """Whether everything before it is done."""
        raise NotImplementedError

    async def lead_on(self) -> None:
        """Whatever makes the session go on to the barrier."""
        raise NotImplementedError

    async def approach(self) -> None:
        self.next().up(self.stack.data, self.evse_id, hangs=self.hangs)
        await self.lead_on()
        await eventually(self.is_here, within_s=90, every_s=0.05, describe=lambda: self.name)

    def let_go(self) -> None:
        """Nothing is held up any more."""
        Barrier.down(self.stack.data, self.evse_id)

    async def proceed(self) -> None:
        """Nobody has to do anything."""
        self.let_go()

    async def payments(self) -> list[tuple[str, str]]:
        """Kind and state of the session's payments, in order."""
        of = tables.payments.c
        rows = await self.stack.rows(select(of.kind, of.state).where(of.session_id == self.session_id).order_by(of.n))
        return [(row.kind, row.state) for row in rows]

    async def moved(self, kind: str) -> int:
        """Movements of the session's money, by the payer's account."""
        return await self.payer.has_moved(self.stack, kind, self.session_id)


# ---- Before the session begins ------------------------------------------------------------------------------------


class HoldAsked(Step):
    """The workflow runs and asks for the hold; nothing is held."""

    name = "hold-asked"

    def next(self) -> Barrier:
        return self.payer.moving("hold")

    async def lead_on(self) -> None:
        await self.start()

    async def is_here(self) -> bool:
        return bool(await self.column("admission") == "running")

    async def proceed(self) -> None:
        self.let_go()
        await self.charging()
        await self.stop()


class Held(HoldAsked):
    """The money is held; the workflow does not know."""

    name = "held"

    def next(self) -> Barrier:
        return SEND_START

    async def is_here(self) -> bool:
        return await self.moved("hold") == 1


# ---- Settling the first CDR ---------------------------------------------------------------------------------------


class CdrStored(Charging, Step):
    """The CDR is stored and acknowledged; it is not audited, there is no receipt."""

    name = "cdr-stored"

    def next(self) -> Barrier:
        return WRITE_RECEIPT

    async def lead_on(self) -> None:
        await self.stack.sandbox("end", {"session_id": await self.column("ocpi_session_id")})

    async def is_here(self) -> bool:
        return await self.cdr_states() == ["received"]

    async def approach(self) -> None:
        await Step.approach(self)

    async def proceed(self) -> None:
        await Step.proceed(self)


class CaptureAsked(CdrStored):
    """Audit, receipt and payment are written; nothing is taken."""

    name = "capture-asked"

    def next(self) -> Barrier:
        return self.payer.moving("capture")

    async def is_here(self) -> bool:
        return await self.payments() == [("capture", "asked")]


class Captured(CdrStored):
    """The money is taken; the answer is not written down."""

    name = "captured"

    def next(self) -> Barrier:
        return RECORD_PAYMENT

    async def is_here(self) -> bool:
        return await self.moved("capture") == 1


class CaptureRecorded(CdrStored):
    """The answer is written down; the rest of the hold is not given back."""

    name = "capture-recorded"

    def next(self) -> Barrier:
        return self.payer.moving("release")

    async def is_here(self) -> bool:
        return await self.payments() == [("capture", "done")]


class Released(CdrStored):
    """The hold is given back; receipt, CDR and event do not say so."""

    name = "released"

    def next(self) -> Barrier:
        return CONCLUDE

    async def is_here(self) -> bool:
        return await self.moved("release") == 1


class Settled(CdrStored):
    """The CDR is settled, the receipt says paid; the session is not told."""

    name = "settled"

    def next(self) -> Barrier:
        return PUBLISH

    async def is_here(self) -> bool:
        return await self.cdr_states() == ["settled"]


# ---- A Credit CDR -------------------------------------------------------------------------------------------------


class Credited(CdrStored):
    """A paid session's CDR is taken back: the Credit CDR is stored, not audited."""

    name = "credit-stored"
    correction: ClassVar[dict[str, str]] = {}

    async def prepare(self) -> None:
        await super().prepare()
        await super().lead_on()
        await self.stack.until(self.session_id, status="completed")

    async def lead_on(self) -> None:
        told = {"session_id": await self.column("ocpi_session_id"), "set": self.correction}
        await self.stack.sandbox("credit", told)

    async def is_here(self) -> bool:
        return sorted(await self.cdr_states()) == ["received", "settled"]

    async def assert_all_is_well(self) -> None:
        await assert_credited(self.stack, self.session_id, is_corrected=bool(self.correction))


class RefundAsked(Credited):
    """The second receipt and the refund are written; nothing is given back."""

    name = "refund-asked"

    def next(self) -> Barrier:
        return self.payer.moving("refund")

    async def is_here(self) -> bool:
        return await self.payments() == [("capture", "done"), ("refund", "asked")]


class Refunded(Credited):
    """The money is given back; the answer is not written down."""

    name = "refunded"

    def next(self) -> Barrier:
        return RECORD_PAYMENT

    async def is_here(self) -> bool:
        return await self.moved("refund") == 1


class RefundRecorded(Credited):
    """The answer is written down; receipt, Credit CDR and event do not say so."""

    name = "refund-recorded"

    def next(self) -> Barrier:
        return CONCLUDE

    async def is_here(self) -> bool:
        return await self.payments() == [("capture", "done"), ("refund", "done")]


# ---- A correction -------------------------------------------------------------------------------------------------


class Corrected(Credited):
    """A refunded session's new CDR is stored, not audited."""

    name = "correction-stored"
    correction: ClassVar[dict[str, str]] = {"remark": "corrected"}

    async def prepare(self) -> None:
        """The Credit CDR is settled; the CDR that corrects it did not arrive, and is among those that can be pulled."""
        await super().prepare()
        TAKE_CORRECTION.up(self.stack.data, self.evse_id)
        await super().lead_on()
        await eventually(self._is_refunded, within_s=90, every_s=0.1)
        self.let_go()

    async def _is_refunded(self) -> bool:
        records = await self.stack.records()
        tried = {cdr["id"] for cdr in records["cdrs"] if cdr["sandbox"]["done"]}
        is_tried = f"COR-{await self.column('ocpi_session_id')}" in tried
        return is_tried and await self.cdr_states() == ["settled"] * 2

    async def lead_on(self) -> None:
        await self.stack.pull()

    async def is_here(self) -> bool:
        return sorted(await self.cdr_states()) == ["received", "settled", "settled"]


class SecondCaptureAsked(Corrected):
    """The third receipt and the payment are written; nothing is taken."""

    name = "second-capture-asked"

    def next(self) -> Barrier:
        return self.payer.moving("capture")

    async def is_here(self) -> bool:
        return (await self.payments())[2:] == [("capture", "asked")]


class SecondCaptured(Corrected):
    """The money is taken; the answer is not written down."""

    name = "second-captured"

    def next(self) -> Barrier:
        return RECORD_PAYMENT

    async def is_here(self) -> bool:
        return await self.moved("capture") == 2


class SecondCaptureRecorded(Corrected):
    """The answer is written down; receipt, CDR and event do not say so."""

    name = "second-capture-recorded"

    def next(self) -> Barrier:
        return CONCLUDE

    async def is_here(self) -> bool:
        return (await self.payments())[2:] == [("capture", "done")]


BILLED: Sequence[type[Step]] = (
    HoldAsked,
    Held,
    CdrStored,
    CaptureAsked,
    Captured,
    CaptureRecorded,
    Released,
    Settled,
)
CORRECTED: Sequence[type[Step]] = (
    Credited,
    RefundAsked,
    Refunded,
    RefundRecorded,
    Corrected,
    SecondCaptureAsked,
    SecondCaptured,
    SecondCaptureRecorded,
)
