"""Requests and answers of ``/v1/webhooks``."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import Text
from charging.session.events import EventType


class WebhookRequest(BaseModel):
    """Where events go. ``types``: only these; left out or empty: all of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://robots.example/charging", "types": ["session.status", "receipt.issued"]}]
        },
    )

    url: Annotated[Text, Field(min_length=1, max_length=255)]
    types: Annotated[list[EventType], Field(max_length=20)] = []


class WebhookAnswer(BaseModel):
    """A webhook. ``disabled_at``: it answered 410 Gone, and gets nothing any more."""

    webhook_id: str
    url: str
    types: list[str]
    created_at: datetime
    disabled_at: datetime | None
    previous_secret_until: datetime | None


class NewWebhookAnswer(WebhookAnswer):
    """With its secret, which is shown this once."""

    secret: str


class WebhooksAnswer(BaseModel):
    """All of the caller's webhooks, oldest first."""

    webhooks: list[WebhookAnswer]


class DeliveryAnswer(BaseModel):
    """One event for one webhook. ``due_at`` is the next attempt of one that waits; the rest is of the last attempt."""

    delivery_id: str
    event_id: str
    event_type: str
    session_id: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    due_at: datetime
    http_status: int | None
    problem: str | None
    created_at: datetime
    updated_at: datetime


class DeliveriesAnswer(BaseModel):
    """The newest hundred, newest event first."""

    deliveries: list[DeliveryAnswer]
