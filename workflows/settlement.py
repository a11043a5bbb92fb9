"""``SettlementWorkflow``: all CDRs of one session → capture or refund → receipt. One run at a time per session."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.payments import PaymentActivities
    from charging import names
    from charging.payments.answers import Settlement
    from charging.session.messages import CdrReceived
    from workflows.quick_step import quick_step


@workflow.defn(name=names.Workflow.SETTLEMENT)
class SettlementWorkflow:
    """Settles what is there, again and again until nothing new has arrived, then ends; its id is reusable.

    The messages only wake it: what it settles is in the store. So a lost, repeated or senseless one does no harm,
    and sending one by hand asks a declined payment again.
    """

    @workflow.init
    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._messages = 0

    @workflow.run
    async def run(self, session_id: str) -> str:
        """Settle; returns the payment status, or why there is none yet."""
        while True:
            seen = self._messages
            settlement = await self._settle()
            if settlement.payment_status and not settlement.more:
                await self._tell_session(settlement)
            if seen == self._messages and not settlement.more:
                return settlement.payment_status or "no CDR can be billed yet"

    @workflow.signal(name=names.Signal.CDR_RECEIVED, description="Another CDR is stored, or: try a payment again.")
    def cdr_received(self, message: Any = None) -> None:
        """Count the message; all it could say is in the store already."""
        self._messages += 1

    async def _settle(self) -> Settlement:
        settlement = await quick_step(PaymentActivities.assess, self._session_id, "Judge all CDRs")
        self._show(settlement)
        if not settlement.to_pay:
            return settlement
        await quick_step(PaymentActivities.pay, self._session_id, _payments(settlement))
        settlement = await quick_step(PaymentActivities.conclude, self._session_id, "Write receipt and payment status")
        self._show(settlement)
        return settlement

    async def _tell_session(self, settlement: Settlement) -> None:
        """The session's workflow ends by this; it may have ended long ago."""
        message = CdrReceived(
            message_id=f"settled/{settlement.version}/{settlement.payment_status}",
            settled=True,
            payment_status=settlement.payment_status,
        )
        session = workflow.get_external_workflow_handle(names.charging_session_id(self._session_id))
        try:
            await session.signal(names.Signal.CDR_RECEIVED, message)
        except ApplicationError:
            workflow.logger.info("the session's workflow is gone; the receipt is in the store")

    def _show(self, settlement: Settlement) -> None:
        workflow.set_current_details(_details(settlement))


def _payments(settlement: Settlement) -> str:
    """What the payment activity is about to do, for Temporal UI."""
    asked = [f"{payment} {settlement.currency}" for payment in settlement.asked]
    return ", ".join([*asked, "release the rest of the hold"]).capitalize()


def _details(settlement: Settlement) -> str:
    """What an operator sees in Temporal UI: markdown."""
    rows = {
        "owed": f"{settlement.owed} {settlement.currency}",
        "paid": f"{settlement.paid} {settlement.currency}",
        "payment": f"**{settlement.payment_status or 'no receipt yet'}**",
        "receipt": f"version {settlement.version}" if settlement.version else "none",
        "CDRs": ", ".join(settlement.cdr_ids) or "none that counts",
        "still to do": ", ".join(settlement.asked) or "nothing",
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    troubles = [f"- waiting: {each}" for each in settlement.waiting]
    troubles += [f"- **quarantined**: {each}" for each in settlement.quarantined]
    return "\n\n".join([table, "\n".join(troubles)] if troubles else [table])
