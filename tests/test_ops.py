"""What operators import: alert rules and dashboard name metrics that there are, and each alert has its page."""

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from charging.names import TASK_QUEUE, WEBHOOK_QUEUE, Workflow
from charging.ocpi.breaker import Breaker
from charging.ocpi.health import Call
from charging.ocpi.worker_metrics import WorkerMetrics
from charging.session.model import Phase, Status
from charging.session.profile import PlanCause, PlanOrder, ProfileWish
from charging.store.connections import ConnectionStore
from charging.store.peer_health import HealthRecord, HealthStore
from charging.temporal import measured_runtime, search_attributes
from tests.api.conftest import running_api
from tests.serving import free_port
from tests.session.factory import T0, at, spec, started
from tests.session.plans import plan_at
from tests.waiting import eventually
from workflows import session_metrics

ROOT = Path(__file__).parent.parent
ALERTS = [rule for group in yaml.safe_load((ROOT / "ops/alerts.yml").read_text())["groups"] for rule in group["rules"]]
TESTED = yaml.safe_load((ROOT / "ops/alerts_test.yml").read_text())["tests"]
PANELS = json.loads((ROOT / "ops/grafana-dashboard.json").read_text())["panels"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [shown["expr"] for shown in (*ALERTS, *TARGETS)]
SECTIONS = dict(re.findall(r"^## (.*)\n([^#]*)", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE))
QUERIES = [query for section in SECTIONS.values() for query in re.findall(r"Temporal UI:\s+`([^`]+)`", section)]

Labels = Mapping[str, set[str]]  # of each metric, by its name
ADDED: Final = {"le", "service_name", "namespace", "task_queue", "workflow_type"}
BY_PROMETHEUS: Final = {"up": {"job", "instance"}}
# What our labels may say; those of others (routes, networks …) are not ours to know.
VALUES: Final[dict[str, Iterable[str]]] = {
    "cause": PlanCause,
    "outcome": ("answered", "refused", "not_reached", "unknown", "cancelled"),
    "phase": Phase,
    "task_queue": (TASK_QUEUE, WEBHOOK_QUEUE),
}


@dataclass(frozen=True)
class Shown:
    """The metrics that an API process and a worker show, each with its labels."""

    api: Labels
    worker: Labels

    @property
    def everything(self) -> Labels:
        """Of both, and what Prometheus adds."""
        names = {*self.api, *self.worker}
        return BY_PROMETHEUS | {name: self.api.get(name, set()) | self.worker.get(name, set()) for name in names}


@pytest.fixture(scope="module")
async def shown(
    temporal: WorkflowEnvironment, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Shown:
    """What a real API shows with a session and a CPO, and the runtime of a real worker to which all has happened."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("ops"))
    async with running_api(temporal, f"sqlite+aiosqlite:///{path}") as api:
        connection = await ConnectionStore(api.database, api.settings.secret_keys).by_name("virta")
        assert connection is not None
        await HealthStore(api.database).put(
            HealthRecord(connection.id, "worker", "closed", 0, None, None, None, None),
        )
        await api.started()
        await api.http.get("/v1/evses/FI-VRT-E99999")  # nobody knows it: the CPO is asked
        of_api = (await api.http.get("/metrics")).text

        address = f"127.0.0.1:{free_port()}"
        runtime = measured_runtime(address)
        WorkerMetrics(runtime.metric_meter).called(
            Call(connection, "/commands/START_SESSION", "answered", 1, Breaker())
        )
        target = temporal.client.service_client.config.target_host
        client = await Client.connect(target, runtime=runtime, data_converter=pydantic_data_converter)
        # It does not know the workflow of the session above, and so fails its tasks.
        async with Worker(
            client, task_queue=TASK_QUEUE, workflows=[Measured], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            await client.execute_workflow(Measured.run, id="measured", task_queue=TASK_QUEUE)

            async def of_worker() -> str:
                text = (await api.http.get(f"http://{address}/metrics")).text
                return text if "temporal_workflow_task_execution_failed_total{" in text else ""

            return Shown(labels(of_api), labels(await eventually(of_worker)))


@workflow.defn
class Measured:
    """A session that is planned again and then ends, as far as metrics see it."""

    @workflow.run
    async def run(self) -> None:
        """Count both."""
        state = started()
        wish = ProfileWish(departure_time=at(8 * 3600))
        session_metrics.planned(
            state, PlanOrder(session_id=state.spec.session_id, wish=wish, now=at(3600), in_force=plan_at())
        )
        state.status, state.told, state.told_at = Status.COMPLETED, "completed/None", at(60)
        session_metrics.moved_on(state, "active/charging", T0)


def labels(text: str) -> Labels:
    """The metrics of a text that Prometheus was shown."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def uses(expression: str) -> list[tuple[str, str]]:
    """The metrics that an expression asks for, each with what stands in its braces."""
    return re.findall(r"\b(up|charging_\w+|temporal_\w+)\b(?:{([^}]*)})?", expression)


def matched(braces: str) -> list[tuple[str, str]]:
    """The labels in braces, and the values asked for."""
    return re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', braces)


def grouped(expression: str) -> set[str]:
    """The labels by which an expression groups."""
    return {name for names in re.findall(r"\bby \(([^)]*)\)", expression) for name in names.split(", ")}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(s["series"] for test in TESTED for s in test["input_series"])])
def test_each_metric_and_label_that_operators_are_given_is_one_that_we_show(expression: str, shown: Shown) -> None:
    known = shown.everything
    assert uses(expression)
    for metric, braces in uses(expression):
        # Prometheus itself says which process it asked.
        have = known[metric] | BY_PROMETHEUS["up"]
        assert {name for name, _ in matched(braces)} | grouped(expression) <= have
        for name, values in matched(braces):
            assert set(values.split("|")) <= set(VALUES.get(name, values.split("|")))


def test_each_label_in_the_words_of_an_alert_or_a_panel_is_left_by_its_expression() -> None:
    for rule in ALERTS:
        words = rule["annotations"]["summary"]
        assert set(re.findall(r"\$labels\.(\w+)", words)) <= grouped(rule["expr"]), rule["alert"]
    for target in TARGETS:
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= grouped(target["expr"]), target["expr"]


def test_the_table_of_metrics_is_what_api_and_worker_show(shown: Shown) -> None:
    _, _, table = (ROOT / "docs/operations.md").read_text().partition("\n## Metrics\n")
    rows = re.findall(r"^\| (`charging_.*?) \| (.*?) \| (.*?)\| .* \|$", table.partition("\n## ")[0], re.MULTILINE)
    documented = {
        metric: (set(by.split(", ")), set(re.findall(r"`(\w+)`", words)))
        for metrics, by, words in rows
        for metric in re.findall(r"`(\w+)`", metrics)
    }
    of_api, of_worker = documentable(shown.api), documentable(shown.worker)
    assert documented == {
        metric: (
            {name for name, own in (("API", of_api), ("worker", of_worker)) if metric in own},
            of_api.get(metric, set()) | of_worker.get(metric, set()),
        )
        for metric in {*of_api, *of_worker}
    }


def documentable(metrics: Labels) -> Labels:
    """Our own metrics, without what the form of a histogram and Temporal's library add."""
    found: dict[str, set[str]] = {}
    for name, own in metrics.items():
        if name.startswith("charging_") and not name.endswith("_created"):
            found.setdefault(re.sub(r"_(bucket|count|sum)$", "", name), set()).update(own - ADDED)
    return found


def test_each_alert_is_tested_where_all_is_well_and_where_it_has_to_fire() -> None:
    named = {rule["alert"] for rule in ALERTS}
    for test in TESTED[:2]:
        assert {case["alertname"] for case in test["alert_rule_test"]} == named
    assert all(case["exp_alerts"] for case in TESTED[1]["alert_rule_test"])


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
