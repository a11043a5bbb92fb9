"""What production refuses to start with, and secrets that come from files."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from charging.settings import Settings

KEY = uuid.uuid4().hex
PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "public_url": "https://charging.example",
    "admin_key": KEY,
    "secret_keys": f"{KEY},{KEY[::-1]}",
    "jwks_url": "https://id.example/jwks.json",
    "jwt_algorithms": ["ES256"],
    "jwt_audience": "https://charging.example",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"admin_key": "development-only-secret-of-charging-sessions"}, "CHARGING_ADMIN_KEY"),
        ({"secret_keys": "development-only-secret-of-charging-sessions"}, "CHARGING_SECRET_KEYS"),
        ({"admin_key": KEY[:31]}, "32 characters"),
        ({"secret_keys": f"{KEY},{KEY[:31]}"}, "32 characters"),
        ({"secret_keys": f"{KEY},"}, "32 characters"),
        ({"public_url": "http://charging.example"}, "CHARGING_PUBLIC_URL"),
        ({"jwks_url": None}, "CHARGING_JWKS_URL"),
        ({"jwks_url": "http://id.example/jwks.json"}, "CHARGING_JWKS_URL"),
        ({"jwt_algorithms": ["ES256", "HS256"]}, "CHARGING_JWT_ALGORITHMS"),
        ({"jwt_audience": None}, "CHARGING_JWT_AUDIENCE"),
        ({"jwt_audience": ""}, "CHARGING_JWT_AUDIENCE"),
        ({"max_power_factor": 60}, "CHARGING_MAX_POWER_FACTOR"),
        ({"payments": "payments", "payments_url": "http://payments.example"}, "CHARGING_PAYMENTS_URL .* https"),
        ({"payments": "evpass", "evpass_url": "http://evpass.example"}, "CHARGING_EVPASS_URL .* https"),
        ({"robot_jobs_url": "http://jobs.example"}, "CHARGING_ROBOT_JOBS_URL .* https"),
    ],
)
def test_production_refuses_what_is_fit_for_development_only(changes: dict[str, Any], words: str) -> None:
    assert Settings(**PRODUCTION).environment == "production"
    with pytest.raises(ValidationError, match=words) as refused:
        Settings(**{**PRODUCTION, **changes})
    assert KEY[:31] not in str(refused.value), "what was wrong is said, what was given is not"


def test_what_production_allows_and_should_be_looked_at_is_said_at_each_start() -> None:
    allowed = Settings(**PRODUCTION, allow_private_peers=True, encrypt_payloads=False)
    assert [words.partition(":")[0] for words in allowed.warnings()] == [
        "CHARGING_ALLOW_PRIVATE_PEERS",
        "CHARGING_JWT_ISSUER",
        "CHARGING_ENCRYPT_PAYLOADS",
        "CHARGING_PAYMENTS=wallet",
        "CHARGING_DATABASE_URL",
    ]
    assert Settings().warnings() == []


@pytest.mark.parametrize(
    ("query", "is_said"),
    [("", False), ("?sslmode=verify-full", False), ("?sslmode=require", False), ("?sslmode=prefer", True)],
)
def test_a_database_that_may_be_reached_without_tls_is_said_where_the_url_tells_it(query: str, is_said: bool) -> None:
    settings = Settings(**PRODUCTION, database_url=f"postgresql+psycopg://charging@store/charging{query}")
    assert any("without TLS" in words for words in settings.warnings()) is is_said


def test_a_neighbour_that_is_not_chosen_may_be_anywhere_and_in_development_each_may() -> None:
    Settings(**PRODUCTION, evpass_url="http://evpass.example")
    Settings(payments="evpass", evpass_url="http://127.0.0.1:8200", robot_jobs_url="http://127.0.0.1:8200")


def test_a_secret_comes_from_a_file_and_the_environment_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "charging_admin_key").write_text(f"{KEY}\n")
    (tmp_path / "charging_database_password").write_text("p@ss/word\n")
    (tmp_path / "charging_jwt_secret").write_text("from the file")
    monkeypatch.setenv("CHARGING_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("CHARGING_JWT_SECRET", "from the environment")
    monkeypatch.setenv("CHARGING_DATABASE_URL", "postgresql+psycopg://charging@store:5432/charging")
    settings = Settings()
    assert settings.admin_key.get_secret_value() == KEY
    assert settings.jwt_secret.get_secret_value() == "from the environment"
    assert settings.database_url == "postgresql+psycopg://charging:p%40ss%2Fword@store:5432/charging"
    monkeypatch.setenv("CHARGING_SECRETS_DIR", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="CHARGING_SECRETS_DIR"):
        Settings()
