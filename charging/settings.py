"""Settings, from the environment (prefix ``CHARGING_``), or from files of a folder, one a setting.

Temporal's own come from ``temporalio.envconfig``. Safe by default: ``environment=production`` refuses to start with
what is fit for development only (``require_production``).
"""

import os
from base64 import b64encode
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict
from sqlalchemy import make_url

from charging.session.model import Policy

SHORTEST_KEY: Final = 32  # characters
DEVELOPMENT_SECRET = "development-only-secret-of-charging-sessions"  # noqa: S105 - refused in production
# A Standard Webhooks secret is base64.
DEVELOPMENT_WEBHOOK_SECRET = "whsec_" + b64encode(DEVELOPMENT_SECRET.encode()).decode()


Currency = Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Za-z]{3}$")]
"""ISO 4217, kept in upper case."""


class Settings(BaseSettings):
    """All settings of the API and the worker. Durations in seconds, money in ``default_currency``."""

    # What is refused at a start is logged, and may be a secret.
    model_config = SettingsConfigDict(
        env_prefix="CHARGING_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    environment: Literal["development", "production"] = "development"
    secrets_dir: Path | None = Field(None, description="Folder with a file for each setting that is given in one.")
    database_url: str = "sqlite+aiosqlite:///.charging/charging.db"
    database_password: SecretStr | None = Field(None, description="For `database_url`, which then needs to hold none.")
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

    # Rate limits, in requests per second on an average of 10 s; 0 is no limit (docs/operations.md).
    user_rate: float = Field(200, ge=0, description="Requests per second of one user.")
    costly_rate: float = Field(
        50,
        ge=0,
        description="Starts, reservations, profiles, previews and pictures of plans, quotes and PDF "
        "receipts of one user.",
    )
    peer_rate: float = Field(500, ge=0, description="Requests per second of one CPO or hub.")
    stranger_rate: float = Field(50, ge=0, description="Failed authentications per second at one address.")

    # Encrypts outbound OCPI tokens and webhook secrets at rest, and payloads in Temporal; keys the hash of user ids.
    # Newest first, comma separated.
    secret_keys: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    encrypt_payloads: bool | None = Field(
        None, description="Whether Temporal gets ciphertext only; where it is not set, in production."
    )
    temporal_ui_origin: str | None = Field(
        None, description="Origin (scheme://host:port) of the Temporal UI that may have payloads decoded."
    )

    # Money.
    default_currency: Currency = "EUR"
    default_hold: Decimal = Field(
        Decimal("50.00"), gt=0, description="Held, and the limit of cost, where nobody knows what a session will cost."
    )
    default_holds: dict[Currency, Annotated[Decimal, Field(gt=0)]] = Field(
        {}, description="The same by other currencies; where one has none, a start needs a `max_cost`."
    )
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
    # Python's collector walks through all of them now and then and stops the worker for it: docs/performance.md.
    max_cached_workflows: int = Field(2000, description="Open sessions that a worker keeps in memory.")
    build_id: str | None = Field(
        None, min_length=1, description="Version of this worker's code; where it is set, Temporal decides who gets it."
    )
    cpo_timeout_s: float = Field(20, description="Total time for one call to a CPO, slow bodies included.")

    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON objects for machines.")
    log_level: Literal["DEBUG", "INFO", "WARNING"] = Field("INFO", description="From which on our own code logs.")
    metrics_address: str | None = Field(
        None,
        pattern=r"^\S+:\d+$",
        description="host:port where the worker shows its metrics to Prometheus; nowhere where it is not set.",
    )

    def default_hold_in(self, currency: str) -> Decimal | None:
        """What is held where nobody knows the cost; None where that is not said for ``currency``."""
        return {**self.default_holds, self.default_currency: self.default_hold}.get(currency)

    @property
    def encrypts_payloads(self) -> bool:
        """Whether what is written to Temporal is encrypted."""
        return self.environment == "production" if self.encrypt_payloads is None else self.encrypt_payloads

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the files in ``CHARGING_SECRETS_DIR``, named as its variables in lower case."""
        folder = os.environ.get("CHARGING_SECRETS_DIR")
        if folder is None:
            return init_settings, env_settings
        if not Path(folder).is_dir():
            raise ValueError("CHARGING_SECRETS_DIR is not a folder")
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder)

    @model_validator(mode="after")
    def put_password_into_url(self) -> "Settings":
        """So that all who connect to the database need nothing but ``database_url``."""
        if self.database_password is not None:
            url = make_url(self.database_url).set(password=self.database_password.get_secret_value())
            self.database_url = url.render_as_string(hide_password=False)
        return self

    @model_validator(mode="after")
    def require_neighbours(self) -> "Settings":
        """Whoever is chosen has an address, in production one under https, and there no development secret."""
        for name, secrets in self._chosen_neighbours().items():
            url, variable = getattr(self, f"{name}_url"), f"CHARGING_{name.upper()}_URL"
            if url is None:
                raise ValueError(f"{variable} is missing")
            if self.environment != "production":
                continue
            if not url.startswith("https://"):
                raise ValueError(f"production needs a {variable} that begins with https://")
            if any(map(_is_for_development, secrets)):
                raise ValueError(f"production needs secrets of its own for {name}: see docs/neighbours.md")
        return self

    def _chosen_neighbours(self) -> dict[str, list[SecretStr]]:
        """The neighbours that are used, and the secrets that we share with each."""
        chosen = {"payments": [self.payments_key, self.payments_webhook_secret], "evpass": [self.evpass_key]}
        jobs = {"robot_jobs": [self.robot_jobs_key]} if self.robot_jobs_url else {}
        return {name: secrets for name, secrets in chosen.items() if name == self.payments} | jobs

    @model_validator(mode="after")
    def require_production(self) -> "Settings":
        """In production every secret is given and long, users are checked by JWKS, and nothing goes in the clear."""
        if self.environment != "production":
            return self
        secrets = (self.admin_key, self.secret_keys)
        if any(map(_is_for_development, secrets)):
            raise ValueError("production needs CHARGING_ADMIN_KEY and CHARGING_SECRET_KEYS")
        keys = [self.admin_key.get_secret_value(), *self.secret_keys.get_secret_value().split(",")]
        if any(len(key.strip()) < SHORTEST_KEY for key in keys):
            words = f"each of CHARGING_SECRET_KEYS of {SHORTEST_KEY} characters or more"
            raise ValueError(f"production needs CHARGING_ADMIN_KEY and {words}")
        if not self.public_url.startswith("https://"):
            raise ValueError("production needs a CHARGING_PUBLIC_URL that begins with https://")
        if self.jwks_url is not None and not self.jwks_url.startswith("https://"):
            raise ValueError("production needs a CHARGING_JWKS_URL that begins with https://")
        if self.jwks_url is None or any(a.startswith("HS") for a in self.jwt_algorithms):
            raise ValueError("production needs CHARGING_JWKS_URL and asymmetric CHARGING_JWT_ALGORITHMS")
        if not self.jwt_audience:
            # The same keys sign ID tokens (OpenID Connect Core 1.0 §2) and access tokens of other services.
            raise ValueError("production needs a CHARGING_JWT_AUDIENCE that access tokens to this API carry")
        if self.max_power_factor != 1:
            raise ValueError("production takes no CHARGING_MAX_POWER_FACTOR but 1")
        return self

    def warnings(self) -> list[str]:
        """What is allowed in production and worth a look; said at each start."""
        if self.environment != "production":
            return []
        found = {
            "CHARGING_ALLOW_PRIVATE_PEERS: CPOs and webhooks may name addresses inside this network": (
                self.allow_private_peers
            ),
            "CHARGING_JWT_ISSUER: a token of whoever else signs with keys of that JWKS is taken": not self.jwt_issuer,
            "CHARGING_ENCRYPT_PAYLOADS: whoever reads Temporal reads what sessions say": not self.encrypts_payloads,
            "CHARGING_PAYMENTS=wallet: nobody pays with real money": self.payments == "wallet",
            "CHARGING_DATABASE_URL: SQLite serves one machine only": self.database_url.startswith("sqlite"),
            "CHARGING_DATABASE_URL: its sslmode lets PostgreSQL be spoken to without TLS": (
                make_url(self.database_url).query.get("sslmode") in ("disable", "allow", "prefer")
            ),
        }
        return [words for words, is_so in found.items() if is_so]


def _is_for_development(secret: SecretStr) -> bool:
    value = secret.get_secret_value()
    return any(known in value for known in (DEVELOPMENT_SECRET, DEVELOPMENT_WEBHOOK_SECRET))


@lru_cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
