"""Fused layers compute what the backbone's own do, and hold nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from hmt_qa.model import backbone
from hmt_qa.model.fused import FusedLayers
from tests.hmt_qa.models import tiny_hmt

# Torch's compiler says it of itself when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def uncompiled() -> Iterator[None]:
    """Compiling takes minutes on a loaded machine; on a GPU the tests of reading run what the compiler made."""
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.mark.parametrize("family", ["qwen3", "llama"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 21)])
def test_hidden_states_are_the_backbones_own(family, shape):
    model = tiny_hmt(family)
    embeds_BTD = torch.randn(*shape, 32)
    with torch.inference_mode():
        own = backbone.last_hidden(model.backbone, embeds_BTD)
        fused = FusedLayers.of(model.backbone)
        with fused.taking_over():
            torch.testing.assert_close(backbone.last_hidden(model.backbone, embeds_BTD), own)


def test_only_the_thread_that_asked_and_only_while_it_asks_is_served_by_them(monkeypatch):
    model, other = tiny_hmt("qwen3"), tiny_hmt("qwen3", seed=1)
    fused = FusedLayers.of(model.backbone)
    monkeypatch.setattr(FusedLayers, "__call__", lambda self, embeds_BTD: embeds_BTD * 0)
    embeds_BTD = torch.randn(1, 5, 32)
    with torch.inference_mode():
        with fused.taking_over():
            assert not backbone.last_hidden(model.backbone, embeds_BTD).any()
            assert backbone.last_hidden(other.backbone, embeds_BTD).any()
        assert backbone.last_hidden(model.backbone, embeds_BTD).any()


def test_weights_are_not_held_twice():
    model = tiny_hmt("qwen3")
    before = {name: one.clone() for name, one in model.state_dict().items()}
    FusedLayers.of(model.backbone)
    attention = model.backbone.base_model.layers[0].self_attn
    places = {one.weight.untyped_storage().data_ptr() for one in (attention.q_proj, attention.k_proj, attention.v_proj)}
    assert len(places) == 1
    for name, one in model.state_dict().items():
        assert torch.equal(one, before[name]), name


@pytest.mark.parametrize("family", ["gpt_neox", "opt", "mamba"])
def test_other_kinds_of_layers_are_left_alone(family):
    assert FusedLayers.of(tiny_hmt(family).backbone) is None


def test_layers_that_compute_something_else_are_not_used(monkeypatch):
    model = tiny_hmt("qwen3")
    monkeypatch.setattr("hmt_qa.model.fused._turned", lambda x_BHTE, cos_1TE, sin_1TE: -x_BHTE * cos_1TE[:, None])
    assert FusedLayers.of(model.backbone) is None
