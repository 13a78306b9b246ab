from __future__ import annotations

import pytest
import torch

from model.linear import FloatLinear, Int8Linear, linear


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


WEIGHT, BIAS = random(48, 64), random(48, seed=1)


@pytest.mark.parametrize("bias", [BIAS, None])
def test_float32_is_the_product(bias):
    x = random(5, 64, seed=2)
    expected = x.double() @ WEIGHT.double().T + (0 if bias is None else bias.double())
    torch.testing.assert_close(linear(WEIGHT, bias, "float32")(x).double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bias", [BIAS, None])
@pytest.mark.parametrize("level", [1e-4, 1.0, 300.0])
def test_int8_is_near_at_any_level(bias, level):
    x = level * random(20, 64, seed=2)
    exact = FloatLinear(WEIGHT, bias)(x)
    plain = FloatLinear(WEIGHT, None)(x)
    error = Int8Linear(WEIGHT, bias)(x) - exact
    assert float(error.norm() / plain.norm()) < 0.02


@pytest.mark.parametrize("loud", [1.0, 1e4])
def test_an_int8_row_is_bit_equal_whatever_stands_beside_it(loud):
    layer, x = Int8Linear(WEIGHT, BIAS), random(9, 64, seed=3)
    alone = torch.cat([layer(row[None]) for row in x])
    assert torch.equal(layer(x), alone)
    assert torch.equal(layer(torch.cat([loud * random(3, 64, seed=4), x]))[3:], alone)


def test_an_int8_row_scales_with_its_level():
    layer, x = Int8Linear(WEIGHT, None), random(4, 64, seed=5)
    torch.testing.assert_close(layer(1024 * x), 1024 * layer(x), atol=0, rtol=1e-6)


def test_a_row_of_zeros_gives_the_bias():
    assert torch.equal(Int8Linear(WEIGHT, BIAS)(torch.zeros(2, 64)), BIAS.expand(2, 48))


def test_an_output_without_weights_gives_the_bias():
    weight = WEIGHT.clone()
    weight[7] = 0
    found = Int8Linear(weight, BIAS)(random(3, 64, seed=6))
    assert torch.isfinite(found).all()
    assert torch.equal(found[:, 7], BIAS[7].expand(3))


def test_no_rows_give_no_rows():
    assert linear(WEIGHT, BIAS, "int8")(torch.zeros(0, 64)).shape == (0, 48)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("level", [1e-4, 300.0])
def test_the_greatest_products_do_not_saturate(sign, level):
    x, weight = torch.full((3, 512), sign * level), random(32, 512, seed=7).abs() + 1.0
    torch.testing.assert_close(Int8Linear(weight, None)(x), FloatLinear(weight, None)(x), rtol=0.01, atol=0.0)


def test_a_few_loud_inputs_among_quiet_ones_do_not_saturate():
    x, weight = random(20, 512, seed=8), random(32, 512, seed=9)
    x[:, ::64] = 20.0
    exact = FloatLinear(weight, None)(x)
    assert float((Int8Linear(weight, None)(x) - exact).norm() / exact.norm()) < 0.03
