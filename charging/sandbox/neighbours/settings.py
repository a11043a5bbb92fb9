"""What the sandbox's neighbours may be told, by the environment (``CHARGING_NEIGHBOURS_…``)."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from charging.settings import DEVELOPMENT_SECRET, DEVELOPMENT_WEBHOOK_SECRET


class NeighbourSettings(BaseSettings):
    """Development secrets on both sides, so that one machine needs no set-up."""

    model_config = SettingsConfigDict(env_prefix="CHARGING_NEIGHBOURS_", extra="ignore")

    api_key: SecretStr = SecretStr(DEVELOPMENT_SECRET)
    engine_url: str = "http://127.0.0.1:8000"
    webhook_secret: SecretStr = SecretStr(DEVELOPMENT_WEBHOOK_SECRET)
