"""``charging up``: one machine becomes a charging service, and stays one."""

import asyncio
import json
import socket
import stat
from pathlib import Path

import pytest

from charging.bootstrap.directory import DataDirectory
from charging.bootstrap.errors import StackError
from charging.bootstrap.files import read_json
from charging.bootstrap.keys import DevelopmentSecrets
from charging.bootstrap.neighbours import Payments, payments_of
from charging.bootstrap.ports import Ports
from tests.embedded import Embedded
from tests.programs import program
from tests.waiting import eventually

CHILDREN = {"api", "worker", "temporal", "sandbox"}


async def test_it_prints_one_line_that_says_where_everything_is(stack: Embedded) -> None:
    assert set(stack.run) >= {"api", "temporal", "temporal_ui", "cpo", "token", "admin_key", "pids"}
    assert set(stack.run["pids"]) == CHILDREN
    assert read_json(stack.data / "run.json") == stack.run


async def test_the_sandbox_is_connected_over_ocpi_with_its_speed(stack: Embedded) -> None:
    answer = await stack.http.get(f"{stack.run['api']}/ocpi/connections", headers={"X-API-Key": stack.run["admin_key"]})
    [connection] = answer.json()["connections"]
    assert (connection["network"], connection["status"], connection["power_factor"]) == ("Virta", "active", 600)


async def test_what_holds_secrets_is_readable_by_its_owner_only(stack: Embedded) -> None:
    for name in ("run.json", "secrets.json"):
        assert stat.S_IMODE((stack.data / name).stat().st_mode) == 0o600


async def test_a_second_one_on_the_same_directory_is_refused_and_says_why(stack: Embedded) -> None:
    second = await asyncio.create_subprocess_exec(
        program("charging"), "up", "--json", "--data", str(stack.data), stderr=asyncio.subprocess.PIPE
    )
    _, err = await second.communicate()
    assert second.returncode == 1
    assert err.decode().startswith("already_running: ")
    assert read_json(stack.data / "run.json") == stack.run


async def test_each_process_that_is_killed_comes_back_under_a_new_id(stack: Embedded) -> None:
    for name in sorted(CHILDREN):
        stack.kill(name)
    killed = dict(stack.run["pids"])
    await eventually(lambda: set(pids(stack.data).values()).isdisjoint(killed.values()))
    for name in sorted(CHILDREN):
        stack.run["pids"] = {**pids(stack.data), name: killed[name]}
        await stack.restarted(name)


async def test_killed_with_all_its_processes_it_goes_on_where_it_was(stack: Embedded) -> None:
    before = dict(stack.run)
    await stack.crash()
    await stack.up()
    for kept in ("api", "temporal", "temporal_ui", "cpo", "admin_key"):
        assert stack.run[kept] == before[kept]


async def test_sigterm_ends_it_and_all_its_processes(stack: Embedded) -> None:
    assert await stack.down() == 0
    assert not (stack.data / "run.json").exists()
    with pytest.raises(StackError, match="not_running"):
        DataDirectory(stack.data).running_stack()


def pids(data: Path) -> dict[str, int]:
    run: dict[str, dict[str, int]] = json.loads((data / "run.json").read_text())
    return run["pids"]


def test_free_ports_are_chosen_once_and_kept(tmp_path: Path) -> None:
    chosen = Ports.of(tmp_path / "ports.json", auto=True)
    assert len(set(chosen)) == 5
    assert Ports.of(tmp_path / "ports.json", auto=True) == chosen
    assert Ports.of(tmp_path / "ports.json", auto=False) == chosen
    assert Ports.of(tmp_path / "other.json", auto=False) == Ports()


def test_a_port_that_somebody_else_holds_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = Ports(api=other.getsockname()[1])
        with pytest.raises(StackError, match=rf"port_taken: port {ports.api} \(api\)"):
            ports.require_free()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    made = DevelopmentSecrets.of(tmp_path / "secrets.json")
    assert DevelopmentSecrets.of(tmp_path / "secrets.json") == made
    assert len({made.admin_key, made.jwt_secret, made.secret_key, made.sandbox_token, made.neighbours_key}) == 5


def test_who_keeps_the_money_is_chosen_once(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert payments_of(directory, Payments.EVPASS) is Payments.EVPASS
    assert payments_of(directory, None) is Payments.EVPASS
    with pytest.raises(StackError, match="payments_chosen"):
        payments_of(directory, Payments.WALLET)
    (tmp_path / "other").mkdir()
    assert payments_of(DataDirectory(tmp_path / "other"), None) is Payments.WALLET


def test_a_stack_that_is_still_starting_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    with directory.locked():
        directory.write_run({"ready": False})
        with pytest.raises(StackError, match="starting"):
            directory.running_stack()
    with pytest.raises(StackError, match="not_running"):
        directory.running_stack()
