"""What operators import: alert rules and dashboard name metrics that there are, and each alert has its page."""

import json
import re
from pathlib import Path

import yaml

from api.metrics import Metrics
from charging.ocpi.health import CallMetrics

ROOT = Path(__file__).parent.parent
ALERTS = [rule for group in yaml.safe_load((ROOT / "ops/alerts.yml").read_text())["groups"] for rule in group["rules"]]
PANELS = json.loads((ROOT / "ops/grafana-dashboard.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [target["expr"] for panel in PANELS for target in panel["targets"]]
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


def test_each_alert_has_a_section_in_the_runbook_and_says_how_bad_it_is() -> None:
    sections = re.findall(r"^## (.*)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert {rule["alert"] for rule in ALERTS} == set(sections) - {"Where to look"}
    assert {rule["labels"]["severity"] for rule in ALERTS} == {"page", "ticket"}
