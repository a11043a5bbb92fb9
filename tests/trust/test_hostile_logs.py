"""What whoever reads the log learns of people and of secrets: nothing (docs/trust.md 2.48)."""

import logging
import uuid

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.ocpi.conftest import on_sqlite
from tests.stack import running_stack, user_token

CARD, ADDRESS = "4242424242424242", "robot-owner@example.com"
WRONG_TOKEN = "a-token-that-somebody-has-guessed"


@pytest.mark.trust("2.48")
@on_sqlite
async def test_the_log_of_a_whole_session_and_of_refusals_holds_no_secret_and_nobodys_card_or_address(
    temporal: WorkflowEnvironment, store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tokens = [user_token(ADDRESS), user_token(ADDRESS)[:-4] + "AAAA"]
    async with running_stack(temporal, store_url) as stack:
        stack.api.headers["Authorization"] = f"Bearer {tokens[0]}"
        session_id, session = await stack.charging(metadata={"card": CARD, "owner": ADDRESS}, battery_target_kwh=60)
        ended = {**session, "status": "COMPLETED", "kwh": 2, "end_date_time": session["start_date_time"]}
        await stack.cpo.push_session(ended)
        await stack.cpo.post_cdr(stack.cpo.cdr(ended))
        await stack.until(session_id, "completed")

        refused = {"Authorization": f"Bearer {tokens[1]}", "X-API-Key": WRONG_TOKEN}
        await stack.api.get("/v1/sessions", headers=refused)
        await stack.api.post("/v1/sessions/start", json={"evse_id": CARD, "owner": ADDRESS})
        await stack.api.post("/ocpi/register", json={"token": WRONG_TOKEN}, headers=refused)
        await stack.cpo.call("PUT", "sessions/FI/VRT/S2", {"card": CARD, "id": ADDRESS})
        own_tokens = [stack.cpo.emsp_token, stack.cpo.token_c]
        stack.cpo.emsp_token = WRONG_TOKEN
        await stack.cpo.call("GET", f"sessions/FI/VRT/{uuid.uuid4()}")
    keys = [stack.settings.admin_key.get_secret_value(), stack.settings.jwt_secret.get_secret_value()]
    secrets = [*tokens, *own_tokens, *keys, WRONG_TOKEN, CARD, ADDRESS]
    assert caplog.records
    assert [secret for secret in secrets if not secret or secret in caplog.text] == []
