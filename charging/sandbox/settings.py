"""What the sandbox may be told, by the environment (``CHARGING_SANDBOX_…``) or the command line, which wins."""

import secrets
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from charging.ocpi.versions import DIALECTS
from charging.sandbox.battery import Car


class SandboxSettings(BaseSettings):
    """Durations in seconds of real time: ``speed`` multiplies the power of cars and chargers, never the clock."""

    model_config = SettingsConfigDict(env_prefix="CHARGING_SANDBOX_", env_nested_delimiter="__", extra="ignore")

    token: str = Field(default_factory=lambda: secrets.token_urlsafe(24), description="TOKEN_A of OCPI's handshake.")
    versions: Annotated[tuple[str, ...], NoDecode, Field(min_length=1)] = tuple(DIALECTS)
    speed: float = Field(1.0, gt=0)
    car: Car = Field(Car(), description="What stands at every charger until somebody says otherwise.")
    result_delay_s: float = Field(0.2, ge=0, description="From a command to its CommandResult.")
    start_delay_s: float = Field(1.0, ge=0, description="From START to ACTIVE; PENDING comes halfway.")
    stop_delay_s: float = Field(0.3, ge=0, description="From STOP to the end of power.")
    push_interval_s: float = Field(1.0, gt=0, description="Between two updates of an active session.")
    cdr_delay_s: float = Field(0.3, ge=0, description="From COMPLETED to the CDR.")
    linger_s: float = Field(5.0, ge=0, le=1e8, description="A full car stays ACTIVE at power 0 for so long.")
    plug_in_timeout_s: float = Field(600.0, ge=0, le=1e8, description="An accepted START waits so long for a car.")
    push_timeout_s: float = Field(10.0, gt=0, description="Patience with the eMSP.")
    page_size: int = Field(50, ge=1, description="Largest page of a list (X-Limit).")

    @field_validator("versions", mode="before")
    @classmethod
    def _separated(cls, versions: object) -> object:
        return [part.strip() for part in versions.split(",")] if isinstance(versions, str) else versions

    @field_validator("versions")
    @classmethod
    def _spoken(cls, versions: tuple[str, ...]) -> tuple[str, ...]:
        """Those of OCPI that are offered; on the command line with commas between. Raises where we cannot speak one."""
        if unknown := set(versions) - set(DIALECTS):
            raise ValueError(f"not spoken here: {', '.join(sorted(unknown))}")
        return versions
