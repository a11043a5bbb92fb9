"""Settings, from the environment (prefix ``CHARGING_``). Temporal's own come from ``temporalio.envconfig``.

Safe by default: ``environment=production`` refuses to start with a development secret (``require_production_secrets``).
"""

from base64 import b64encode
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from charging.session.model import Policy

DEVELOPMENT_SECRET = "development-only-secret-of-charging-sessions"  # noqa: S105 - refused in production
# A Standard Webhooks secret is base64.
DEVELOPMENT_WEBHOOK_SECRET = "whsec_" + b64encode(DEVELOPMENT_SECRET.encode()).decode()


class Settings(BaseSettings):
    """All settings of the API and the worker. Durations in seconds, money in ``default_currency``."""

    model_config = SettingsConfigDict(env_prefix="CHARGING_", env_nested_delimiter="__", extra="ignore")

    environment: Literal["development", "production"] = "development"
    database_url: str = "sqlite+aiosqlite:///.charging/charging.db"
    public_url: str = Field("http://127.0.0.1:8000", description="Base URL under which CPOs reach this API.")

    # The eMSP that we are (OCPI credentials role).
    country_code: str = "FI"
    party_id: str = "RBT"
    business_name: str = "Robot Charging"
    allow_private_peers: bool = Field(False, description="Accept CPO URLs on loopback or private addresses.")
    max_power_factor: int = Field(1, description="Largest `power_factor` a connection may declare; production takes 1.")

    # Who may call us.
    admin_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    jwt_algorithms: list[str] = ["HS256"]
    jwt_secret: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_leeway_s: int = 10

    # Encrypts outbound OCPI tokens at rest, payloads in Temporal, and keys the hash of user ids. Newest first, comma
    # separated.
    secret_keys: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    encrypt_payloads: bool | None = Field(
        None, description="Whether Temporal gets ciphertext only; where it is not set, in production."
    )
    temporal_ui_origin: str | None = Field(
        None, description="Origin (scheme://host:port) of the Temporal UI that may have payloads decoded."
    )

    # Money.
    default_currency: str = "EUR"
    default_hold: Decimal = Decimal("50.00")
    wallet_opening_balance: Decimal = Field(
        Decimal("1000.00"), description="Embedded wallet: what every new user starts with, in each currency."
    )

    # The neighbours (docs/neighbours.md).
    payments: Literal["wallet", "evpass", "payments"] = Field("wallet", description="Who keeps the users' money.")
    payments_url: str | None = None
    payments_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    payments_webhook_secret: SecretStr = SecretStr(DEVELOPMENT_WEBHOOK_SECRET)
    evpass_url: str | None = None
    evpass_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    robot_jobs_url: str | None = Field(None, description="Where sessions are reported to; nowhere if not set.")
    robot_jobs_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    neighbour_timeout_s: float = Field(10, gt=0, description="Total time for one call to a neighbour.")

    # Patience, all in seconds.
    policy: Policy = Policy()
    silence_s: float = Field(300, description="An open session without a push for so long is asked for by a list call.")
    stale_s: float = Field(300, description="`stale` is true when an active session's meter is older.")
    sweep_s: float = Field(20, description="How often the sweeper looks for stale rows; they are settled within 60 s.")
    profile_wait_s: float = Field(10, description="How long POST charging-profile waits for the CPO's result.")
    sync_s: float = Field(900, ge=60, description="How often the sessions and CDRs of each CPO are pulled.")
    sync_places_s: float = Field(3600, ge=60, description="How often the locations and tariffs of each CPO are pulled.")
    sync_full_s: float = Field(86400, ge=60, description="How often everything is pulled, not only what is new.")
    sync_horizon_days: int = Field(30, ge=1, description="How far back a full pull reads sessions and CDRs.")
    max_event_streams: int = Field(20, ge=1, description="Event streams of one user at one API process.")
    keep_events_days: int = Field(400, ge=1, description="How long events are kept; the last of a session always is.")
    keep_deliveries_days: int = Field(
        30, ge=1, description="How long deliveries that were made, or given up, are kept."
    )
    max_cached_workflows: int = Field(5000, description="Open sessions that a worker keeps in memory.")
    build_id: str | None = Field(
        None, min_length=1, description="Version of this worker's code; where it is set, Temporal decides who gets it."
    )
    cpo_timeout_s: float = Field(20, description="Total time for one call to a CPO, slow bodies included.")

    metrics_address: str | None = Field(
        None,
        pattern=r"^\S+:\d+$",
        description="host:port where the worker shows its metrics to Prometheus; nowhere where it is not set.",
    )

    @property
    def encrypts_payloads(self) -> bool:
        """Whether what is written to Temporal is encrypted."""
        return self.environment == "production" if self.encrypt_payloads is None else self.encrypt_payloads

    @model_validator(mode="after")
    def require_neighbours(self) -> "Settings":
        """Whoever is chosen has an address, and in production no development secret."""
        for name, secrets in self._chosen_neighbours().items():
            if getattr(self, f"{name}_url") is None:
                raise ValueError(f"CHARGING_{name.upper()}_URL is missing")
            if self.environment == "production" and any(map(_is_for_development, secrets)):
                raise ValueError(f"production needs secrets of its own for {name}: see docs/neighbours.md")
        return self

    def _chosen_neighbours(self) -> dict[str, list[SecretStr]]:
        """The neighbours that are used, and the secrets that we share with each."""
        chosen = {"payments": [self.payments_key, self.payments_webhook_secret], "evpass": [self.evpass_key]}
        jobs = {"robot_jobs": [self.robot_jobs_key]} if self.robot_jobs_url else {}
        return {name: secrets for name, secrets in chosen.items() if name == self.payments} | jobs

    @model_validator(mode="after")
    def require_production_secrets(self) -> "Settings":
        """In production every secret is given, users are checked by JWKS, and the clock of power is not bent."""
        if self.environment != "production":
            return self
        secrets = (self.admin_key, self.secret_keys)
        if any(map(_is_for_development, secrets)):
            raise ValueError("production needs CHARGING_ADMIN_KEY and CHARGING_SECRET_KEYS")
        if self.jwks_url is None or any(a.startswith("HS") for a in self.jwt_algorithms):
            raise ValueError("production needs CHARGING_JWKS_URL and asymmetric CHARGING_JWT_ALGORITHMS")
        if self.max_power_factor != 1:
            raise ValueError("production takes no CHARGING_MAX_POWER_FACTOR but 1")
        return self


def _is_for_development(secret: SecretStr) -> bool:
    value = secret.get_secret_value()
    return any(known in value for known in (DEVELOPMENT_SECRET, DEVELOPMENT_WEBHOOK_SECRET))


@lru_cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
