"""A seed is a plan."""

from charging.bootstrap.neighbours import Payments
from charging.sandbox.faults import Fault as CpoFault
from tests.chaos.__main__ import arguments, replay
from tests.chaos.cpo_faults import CPO_FAULTS
from tests.chaos.plan import KINDS, Plan, Setup, make_plan
from tests.chaos.robots import EVSES

LEAST = Setup()


def _plan(seed: int, setup: Setup = LEAST) -> Plan:
    return make_plan(seed, setup, sessions=200, faults=100, evses=EVSES)


def test_the_same_seed_is_the_same_plan() -> None:
    assert _plan(7) == _plan(7)
    assert str(_plan(7)) == str(_plan(7))
    assert _plan(7) != _plan(8)


def test_faults_come_in_order_and_leave_the_last_sessions_alone() -> None:
    plan = _plan(1)
    assert len(plan.faults) == 100
    assert [fault.after for fault in plan.faults] == sorted(fault.after for fault in plan.faults)
    assert plan.faults[-1].after <= 180


def test_every_seed_is_a_swarm_of_its_own_and_together_they_know_all_kinds() -> None:
    swarms = [set(_plan(seed).kinds) for seed in range(50)]
    assert all(4 <= len(swarm) < len(KINDS) for swarm in swarms)
    assert set.union(*swarms) == set(KINDS)


def test_payments_and_postgresql_fail_where_they_are_there() -> None:
    least, payments, postgres = (
        {fault.target for seed in range(20) for fault in _plan(seed, setup).faults}
        for setup in (LEAST, Setup(Payments.PAYMENTS), Setup(postgres=True))
    )
    assert payments - least == {"payments", "to-payments"}
    assert postgres - least == {"postgres"}


def test_what_is_printed_of_a_broken_run_runs_that_seed_alone_and_all_else_the_same() -> None:
    broken = arguments(["--runs", "9", "--sessions", "12", "--faults", "10", "--factor", "2.5", "--encrypted"])
    again = arguments(replay(7, broken))
    assert vars(again) == {**vars(broken), "seed": 7, "runs": 1}
    assert (again.factor, again.encrypted, again.postgres, again.payments) == (2.5, True, False, Payments.WALLET)
    of_neighbour = arguments(replay(7, arguments(["--payments", "evpass"])))
    assert of_neighbour.payments is Payments.EVPASS


def test_the_cpo_understands_every_fault_that_it_can_be_told() -> None:
    for templates in CPO_FAULTS.values():
        for template in templates:
            CpoFault.model_validate({**template, "evse": EVSES[0]})
