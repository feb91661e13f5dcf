"""The reference engine: chunks, and the precision that the processor asks for."""

import pytest
import torch
from torch import nn

from realitycheck.engines import processor as module_of_flags
from realitycheck.engines import pytorch
from realitycheck.engines.processor import cores, half_precision
from realitycheck.engines.pytorch import HalfPrecision, PyTorchEngine
from realitycheck.errors import RealityCheckError

BF16 = {"avx2": True, "avx512_bf16": True}
AVX2 = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}


class Widths(nn.Module):
    """Says which type its products have."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.types = set()

    def forward(self, pixels):
        found = self.linear(pixels.mean(dim=(2, 3)))
        self.types.add(found.dtype)
        return found


@pytest.fixture
def processor(monkeypatch):
    monkeypatch.delenv(module_of_flags.VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def has(flags):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)

    return has


def test_bfloat16_only_where_the_processor_multiplies_in_it(processor):
    processor(BF16)
    assert half_precision()
    processor({"amx_bf16": True})
    assert half_precision()
    processor(AVX2)
    assert not half_precision()


def test_torch_without_a_list_of_flags_means_float32(processor, monkeypatch):
    processor(BF16)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not half_precision()


def test_the_variable_outranks_the_processor(processor, monkeypatch):
    processor(BF16)
    monkeypatch.setenv(module_of_flags.VARIABLE, "float32")
    assert not half_precision()
    processor(AVX2)
    monkeypatch.setenv(module_of_flags.VARIABLE, "bfloat16")
    assert half_precision()


def test_an_unknown_precision_is_refused_in_words(processor, monkeypatch):
    processor(AVX2)
    monkeypatch.setenv(module_of_flags.VARIABLE, "int8")
    with pytest.raises(RealityCheckError, match="'int8': set it to float32 or bfloat16"):
        half_precision()


def test_outputs_are_float32_and_near_in_either_precision(processor):
    processor(AVX2)
    module, pixels = Widths().eval(), torch.rand(5, 3, 8, 8)
    exact, rounded = PyTorchEngine(module)(pixels), PyTorchEngine(module, half=True)(pixels)
    assert module.types == {torch.float32, torch.bfloat16}
    assert exact.dtype == rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.02


def test_a_batch_of_any_size_comes_back_in_order(processor):
    processor(AVX2)
    engine, pixels = PyTorchEngine(nn.Flatten()), torch.rand(2 * pytorch.CHUNK + 3, 3, 2, 2)
    assert torch.equal(engine(pixels), pixels.flatten(1))


def test_a_head_in_half_precision_is_near_and_has_gradients(processor):
    processor(AVX2)
    torch.manual_seed(0)
    head, features = nn.Linear(16, 2), torch.randn(5, 16, requires_grad=True)
    rounded = HalfPrecision(head)(features)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - head(features)).abs().max() < 0.05
    (gradient,) = torch.autograd.grad(rounded[:, 0].sum(), features)
    assert torch.allclose(gradient, head.weight[0].expand(5, -1), atol=0.01)


def test_cores_are_those_that_are_asked_for(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cores() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert cores() >= 1
