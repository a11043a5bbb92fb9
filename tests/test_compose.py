"""The container files against the code: nobody has run them here, so everything that they name has to exist."""

import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from charging import names
from charging.sandbox.settings import SandboxSettings
from charging.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CLI_VARIABLES = {"CHARGING_API", "CHARGING_TOKEN", "CHARGING_ADMIN_KEY", "CHARGING_CPO_TOKEN", "CHARGING_DATA"}
ONE_OFF = {"migrate", "search-attributes", "connect-sandbox"}
AS_HEALTHY_AS_ITS_PROCESS = {"worker"}


def known_variables() -> set[str]:
    """Every ``CHARGING_`` variable that some process of ours reads."""
    settings = {f"CHARGING_{field.upper()}" for field in Settings.model_fields}
    sandbox = {f"CHARGING_SANDBOX_{field.upper()}" for field in SandboxSettings.model_fields}
    return settings | sandbox | CLI_VARIABLES


@pytest.mark.parametrize("service", OURS)
def test_each_command_starts_a_module_or_script_that_exists(service: str) -> None:
    command = OURS[service].get("command") or []
    assert command, "each service says which process of the image it is"
    match command:
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["python", script, *_]:
            assert (ROOT / script).is_file()
        case [program, *_]:
            assert program in {"charging", "temporal"}
            assert shutil.which(program) or (ROOT / ".venv/bin" / program).exists()


def test_the_image_is_the_api_unless_it_is_told_otherwise() -> None:
    in_the_image = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert [json.loads(command) for command in in_the_image] == [OURS["api"]["command"]]


def test_the_image_is_of_production_and_so_are_the_containers_unless_they_are_told_otherwise() -> None:
    assert re.findall(r"\bCHARGING_ENVIRONMENT=(\S*)", DOCKERFILE) == ["production"]
    told = {name: (service.get("environment") or {}).get("CHARGING_ENVIRONMENT") for name, service in OURS.items()}
    told_nothing = {"sandbox", "connect-sandbox"}  # no process of theirs has such a setting
    assert told == {name: None if name in told_nothing else "${CHARGING_ENVIRONMENT:-production}" for name in OURS}


@pytest.mark.parametrize("service", OURS)
def test_each_variable_given_to_our_processes_is_one_that_they_read(service: str) -> None:
    given = {name for name in OURS[service].get("environment", {}) if name.startswith("CHARGING_")}
    assert given <= known_variables()


@pytest.mark.parametrize(("service", "no_business_of_it"), [("api", {"CHARGING_METRICS_ADDRESS"}), ("worker", set())])
def test_each_setting_can_be_given_and_left_out(service: str, no_business_of_it: set[str]) -> None:
    """Compose leaves a variable without a value out where it is not set; ``${NAME:-}`` would make it an empty one."""
    environment = OURS[service]["environment"]
    settings = {f"CHARGING_{field.upper()}" for field in Settings.model_fields}
    assert settings - set(environment) - {secret.upper() for secret in OURS[service]["secrets"]} == no_business_of_it
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"} <= set(environment)
    assert not [name for name, value in environment.items() if str(value).endswith(":-}")]


def test_prometheus_asks_each_process_where_it_shows_its_metrics() -> None:
    jobs = yaml.safe_load((ROOT / "ops/prometheus.yml").read_text())["scrape_configs"]
    (api,), (worker,) = (job["dns_sd_configs"] for job in jobs)
    assert api == {"names": ["api"], "type": "A", "port": int(OURS["api"]["command"][-1])}
    port = int(OURS["worker"]["environment"]["CHARGING_METRICS_ADDRESS"].removeprefix("0.0.0.0:"))
    assert worker == {"names": ["worker"], "type": "A", "port": port}


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_stands_in_the_file_and_a_missing_one_stops_the_start(service: str) -> None:
    for name, value in (SERVICES[service].get("environment") or {}).items():
        if value is not None and re.search(r"PASSWORD|PWD|SECRET|TOKEN|KEY", name):
            comes_from_elsewhere = re.search(r"\$\{[A-Z_]+:\?\}", str(value)) or str(value).startswith("/run/secrets")
            assert comes_from_elsewhere, f"{name} must not stand here"
    assert "@" not in re.sub(r"charging@store", "", COMPOSE_TEXT), "a URL with a password in it"


def test_each_secret_is_a_file_named_as_the_setting_that_it_is_and_each_is_used() -> None:
    settings = {f"charging_{field}" for field in Settings.model_fields}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    assert used <= settings
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"].endswith(f"/{name}"), "Compose cannot write others into a container that is read-only"
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("service", OURS)
def test_a_process_of_ours_may_change_nothing_and_win_no_right(service: str) -> None:
    ours = OURS[service]
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "user", "pid", "network_mode", "devices"} & set(ours)
    assert [mount.partition(":")[0] for mount in ours["tmpfs"]] == ["/tmp"]
    writable = [volume.partition(":")[2] for volume in ours.get("volumes", [])]
    assert writable == (["/data"] if service == "sandbox" else [])
    assert all(port.startswith("127.0.0.1:") for port in ours.get("ports", []))


@pytest.mark.parametrize("service", sorted(set(SERVICES) - ONE_OFF - AS_HEALTHY_AS_ITS_PROCESS - {"temporal-ui"}))
def test_each_server_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("service", SERVICES)
def test_each_dependency_is_a_service_that_can_meet_its_condition(service: str) -> None:
    for other, wanted in SERVICES[service].get("depends_on", {}).items():
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert wanted["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


def test_all_search_attributes_are_registered_and_no_others() -> None:
    command = OURS["search-attributes"]["command"]
    registered = [word.removeprefix("--name=") for word in command if word.startswith("--name=")]
    assert sorted(registered) == sorted(names.SearchAttribute)
    assert command.count("--type=Keyword") == len(registered)


def test_the_sandbox_runs_only_when_it_is_asked_for() -> None:
    asked_for = {name for name, service in SERVICES.items() if service.get("profiles") == ["sandbox"]}
    assert asked_for == {"sandbox", "connect-sandbox"}


def test_every_volume_that_is_used_is_declared() -> None:
    used = {v.partition(":")[0] for service in SERVICES.values() for v in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_image_copies_what_exists_and_all_that_is_packaged() -> None:
    copied = [
        word.removeprefix("./")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    ]
    assert all((ROOT / path).exists() for path in copied)
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(packaged["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]) <= set(copied)
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_in == set(copied)


def test_the_image_does_not_run_as_root() -> None:
    assert re.search(r"^USER (?!0|root)", DOCKERFILE, re.MULTILINE)
