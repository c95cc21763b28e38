"""Every operation, every case, every CPU tier, against the float64 reference."""
import pytest
import reference as ref
from cases import CASES
from checkers import EXACT, check_accumulation, check_forward, check_gradient, check_whole_numbers
from op_table import ELSEWHERE, OPS, fits

from cnncore import _core


def _cases(ops):
    return [pytest.param(op, case, tier, id=f"{op}-{case.id}-{tier}") for op in ops for case in CASES[op]
            if fits(op, case) for tier in _core.tiers_here()]


WITH_GRADIENT = [op for op in OPS if hasattr(ref, f"{op}_vjp")]


def test_every_operation_of_the_table_of_cases_is_tested():
    assert set(CASES) == set(OPS) | ELSEWHERE


@pytest.mark.parametrize(("op", "case", "tier"), _cases(OPS))
def test_forward_is_the_reference(op, case, tier):
    check_forward(op, case, tier)


@pytest.mark.parametrize(("op", "case", "tier"), _cases(WITH_GRADIENT))
def test_gradients_are_the_reference(op, case, tier):
    check_gradient(op, case, tier)


@pytest.mark.parametrize(("op", "case", "tier"), _cases(WITH_GRADIENT))
def test_accumulate_adds_exactly_once(op, case, tier):
    check_accumulation(op, case, tier)


@pytest.mark.parametrize(("op", "case", "tier"), _cases(EXACT))
def test_whole_numbers_come_out_exact(op, case, tier):
    check_whole_numbers(op, case, tier)
