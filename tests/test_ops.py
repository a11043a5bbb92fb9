"""What operators import: alert rules and dashboard name metrics that there are, and each alert has its page."""

import json
import re
from pathlib import Path

import pytest
import yaml
from temporalio.testing import WorkflowEnvironment

from api.metrics import Metrics
from charging.names import Workflow
from charging.ocpi.health import CallMetrics
from charging.session.model import Status
from charging.temporal import search_attributes
from tests.session.factory import spec

ROOT = Path(__file__).parent.parent
ALERTS = [rule for group in yaml.safe_load((ROOT / "ops/alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = json.loads((ROOT / "ops/grafana-dashboard.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [target["expr"] for panel in PANELS for target in panel["targets"]]
SECTIONS = dict(re.findall(r"^## (.*)\n([^#]*)", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE))
QUERIES = [query for section in SECTIONS.values() for query in re.findall(r"Temporal UI:\s+`([^`]+)`", section)]
# Where our metrics get their names; Temporal's own (temporal_…) are its SDK's.
SOURCES = "\n".join(
    (ROOT / name).read_text()
    for name in ("api/metrics.py", "charging/ocpi/worker_metrics.py", "workflows/session_metrics.py")
)


def test_each_metric_that_an_alert_or_a_panel_asks_for_is_one_of_ours() -> None:
    registries = (Metrics().registry, CallMetrics().registry)
    known = {metric.name for registry in registries for metric in registry.collect()}
    known |= set(re.findall(r'"(charging_[a-z_]+)"', SOURCES))
    known |= {
        f"charging_{queue}_{what}"
        for queue in ("inbox", "settlement", "events", "webhooks", "job_reports")
        for what in ("waiting", "oldest_seconds", "lost")
    }
    for expression in EXPRESSIONS:
        for name in re.findall(r"\bcharging_[a-z_]+", expression):
            assert re.sub(r"_(total|bucket|count|sum)$", "", name) in known, expression


def test_prometheus_is_told_of_the_rules_and_of_each_job_that_they_name() -> None:
    config = yaml.safe_load((ROOT / "ops/prometheus.yml").read_text())
    assert all((ROOT / "ops" / name).is_file() for name in config["rule_files"])
    named = {job for expression in EXPRESSIONS for job in re.findall(r'\bjob="([^"]+)"', expression)}
    assert named
    assert named <= {job["job_name"] for job in config["scrape_configs"]}


def test_each_alert_has_a_section_in_the_runbook_and_says_how_bad_it_is() -> None:
    assert {rule["alert"] for rule in ALERTS} == set(SECTIONS) - {"Where to look"}
    assert {rule["labels"]["severity"] for rule in ALERTS} == {"page", "ticket"}


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_each_alerts_section_says_how_to_find_its_sessions_or_that_none_are_meant(alert: str) -> None:
    section = " ".join(SECTIONS[alert].split())
    assert len(re.findall("Temporal UI: `|No sessions are meant: look at ", section)) == 1


def test_each_search_attribute_in_the_runbook_is_set_by_the_engine_to_such_values_or_is_temporals_own() -> None:
    ours = {pair.key.name for pair in search_attributes(spec(job_id="J1"), Status.PENDING)}
    temporals = {"ExecutionStatus", "TemporalReportedProblems", "WorkflowId", "WorkflowType"}
    used = [(name, re.findall(r'"([^"]*)"', values)) for query in QUERIES for name, values in compared(query)]
    assert {name for name, _ in used} <= ours | temporals
    allowed: dict[str, list[str]] = {"ChargingStatus": list(Status), "WorkflowType": list(Workflow)}
    for name, values in used:
        assert set(values) <= set(allowed.get(name, values))


async def test_temporal_understands_each_query_of_the_runbook(temporal: WorkflowEnvironment) -> None:
    assert [await temporal.client.count_workflows(query) for query in QUERIES]


def compared(query: str) -> list[tuple[str, str]]:
    """The search attributes of a list filter, each with what it is compared to."""
    return re.findall(r'(\w+) (?:=|IN) (\([^)]*\)|"[^"]*")', query)
