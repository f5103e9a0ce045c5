"""Weights on disk: int8 rows, memory beside its backbone, the model in the package, and folders that are broken."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import InvalidCheckpoint, ModelMissing, ModelProblem
from hmt_qa.model.checkpoint import Checkpoint, fingerprint
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.weights import dequantise_rows, load_model, quantise_rows, save_int8, save_memory
from tests.hmt_qa.models import FAMILIES, save_with_tokenizer, tiny_hmt

ENGLISH = (
    "The lighthouse stood at the end of the harbour for more than a hundred years. Every evening the keeper climbed "
    "the stairs, trimmed the lamp and wrote the weather into a large book. When the storm came in the winter of 1871, "
    "two ships were lost on the rocks, but the crew of a third saw the light in time and turned back to the open sea."
)


def load(directory: Path, *, dtype: torch.dtype = torch.float32) -> HMTForCausalLM:
    return load_model(Checkpoint.open(directory), dtype=dtype, attention="sdpa")


def same_weights(one: HMTForCausalLM, other: HMTForCausalLM) -> bool:
    before, after = one.state_dict(), other.state_dict()
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


matrices = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=width, max_size=width), min_size=1, max_size=5
    )
)


@given(rows=matrices)
def test_no_int8_row_is_off_by_more_than_half_of_its_step(rows):
    weight_RC = torch.tensor(rows)
    int8_RC, scale_R = quantise_rows(weight_RC)
    assert int8_RC.dtype == torch.int8
    error_RC = (dequantise_rows(int8_RC, scale_R) - weight_RC).abs()
    step_R1 = weight_RC.abs().amax(1, keepdim=True) / 127
    assert (error_RC <= step_R1 * 0.5001 + 1e-37).all()


@given(rows=matrices)
def test_quantising_again_what_int8_rows_stand_for_gives_the_same_int8_rows(rows):
    int8_RC, scale_R = quantise_rows(torch.tensor(rows))
    again_RC, scale_again_R = quantise_rows(dequantise_rows(int8_RC, scale_R))
    assert torch.equal(again_RC, int8_RC)
    torch.testing.assert_close(scale_again_R, scale_R, atol=0.0, rtol=1e-6)


def test_a_row_of_zeros_stays_zeros():
    int8_RC, scale_R = quantise_rows(torch.zeros(2, 3))
    assert not dequantise_rows(int8_RC, scale_R).any()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[HMTForCausalLM, str], Path]:
    """An int8 checkpoint of a model, with a tokenizer."""

    def save(model: HMTForCausalLM, name: str) -> Path:
        save_int8(model, tmp_path / name)
        shutil.copy(EMBEDDED_MODEL / "tokenizer.json", tmp_path / name)
        return tmp_path / name

    return save


@pytest.mark.parametrize("family", FAMILIES)
def test_an_int8_checkpoint_loads_and_saving_it_again_changes_nothing(family, saved):
    first = saved(tiny_hmt(family), "first")
    loaded = load(first)
    second = saved(loaded, "second")
    one, two = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one if one[name].dtype == torch.int8)
    assert any(tensor.dtype == torch.int8 for tensor in one.values())
    again = load(second)
    for name, tensor in loaded.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, atol=0.0, rtol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_from_int8_rows_are_those_saved_within_half_a_step(family, saved):
    model = tiny_hmt(family)
    loaded = load(saved(model, "int8")).state_dict()
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 2:
            step_R1 = tensor.abs().amax(1, keepdim=True) / 127
            assert ((loaded[name] - tensor).abs() <= step_R1 * 0.501).all(), name
        else:
            assert torch.equal(loaded[name], tensor), name


def test_int8_rows_take_about_a_byte_a_parameter(saved):
    model = tiny_hmt("llama", backbone={"vocab_size": 4096})
    size = (saved(model, "int8") / "model.safetensors").stat().st_size
    assert size < 1.25 * model.num_parameters() + 8192


def test_tied_embeddings_are_stored_once_and_tied_again_by_loading(saved):
    directory = saved(tiny_hmt("qwen3"), "tied")
    names = [name for name in load_file(directory / "model.safetensors") if not name.endswith(".row_scale")]
    assert sum("embed_tokens" in name or "lm_head" in name for name in names) == 1
    loaded = load(directory)
    assert loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight


@pytest.fixture
def beside(tmp_path: Path) -> tuple[HMTForCausalLM, Path, Path]:
    """A model, its backbone's folder, and a folder with its memory parameters alone."""
    model = tiny_hmt("llama")
    backbone, memory = tmp_path / "backbone", tmp_path / "memory"
    model.backbone.save_pretrained(backbone)
    shutil.copy(EMBEDDED_MODEL / "tokenizer.json", backbone)
    save_memory(model, memory, backbone=backbone)
    return model, backbone, memory


def test_memory_parameters_alone_come_back_with_their_backbone(beside):
    model, _, memory = beside
    assert not (memory / "model.safetensors").exists()
    assert same_weights(load(memory), model)
    assert (memory / "memory.safetensors").stat().st_size < 16384


def test_memory_beside_a_backbone_finds_the_backbones_tokenizer_and_counts_its_parameters(beside):
    model, backbone, memory = beside
    checkpoint = Checkpoint.open(memory)
    assert checkpoint.find("tokenizer.json") == backbone / "tokenizer.json"
    assert checkpoint.parameters == model.num_parameters()


def test_memory_beside_a_changed_backbone_is_refused(beside):
    _, backbone, memory = beside
    weights = load_file(backbone / "model.safetensors")
    next(iter(weights.values()))[0] += 1.0
    save_file(weights, backbone / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidCheckpoint, match=r"not the one this memory was trained on.*Restore"):
        load(memory)


def test_memory_whose_backbone_is_gone_is_refused(beside):
    _, backbone, memory = beside
    shutil.rmtree(backbone)
    assert_refused(memory, ModelProblem)


def test_a_plain_language_model_is_wrapped_with_an_untrained_memory(beside):
    model, backbone, _ = beside
    checkpoint = Checkpoint.open(backbone)
    assert not checkpoint.is_hmt
    assert not checkpoint.memory_trained
    wrapped = load(backbone)
    assert torch.equal(wrapped.get_input_embeddings().weight, model.get_input_embeddings().weight)
    assert wrapped.config.segment_length == 256


def test_the_identity_of_a_model_changes_with_any_of_its_files(tmp_path):
    directory = save_with_tokenizer(tiny_hmt("llama"), tmp_path / "model")
    before = Checkpoint.open(directory).model_id
    assert Checkpoint.open(directory).model_id == before
    seen = {before}
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        path = directory / name
        path.write_bytes(path.read_bytes() + b" ")
        seen.add(f"model@{fingerprint(directory)[:16]}")
    assert len(seen) == 4
    assert before.startswith("model@")


def damaged_text(name: str, text: str) -> Callable[[Path], object]:
    return lambda directory: (directory / name).write_text(text)


def without(name: str) -> Callable[[Path], object]:
    return lambda directory: (directory / name).unlink()


def cut_weights(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def without_memory_weights(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("memory.")}
    save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})


def with_wider_weights(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    weights["memory.query.weight"] = torch.zeros(12, 40)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def with_config(**changes: object) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


DAMAGES = {
    "no configuration": (without("config.json"), ModelMissing),
    "no weights": (without("model.safetensors"), ModelMissing),
    "no tokenizer": (without("tokenizer.json"), ModelMissing),
    "an empty folder": (lambda directory: (shutil.rmtree(directory), directory.mkdir()), ModelMissing),
    "no folder": (shutil.rmtree, ModelMissing),
    "a configuration that is not JSON": (damaged_text("config.json", "{"), InvalidCheckpoint),
    "a configuration that is not an object": (damaged_text("config.json", "[1]"), InvalidCheckpoint),
    "a configuration with impossible sizes": (with_config(summary_length=0), InvalidCheckpoint),
    "a configuration of another shape": (with_config(recall_size=13), InvalidCheckpoint),
    "a configuration of an unknown kind": (with_config(model_type="no-such-model"), InvalidCheckpoint),
    "weights that are not safetensors": (damaged_text("model.safetensors", "weights"), InvalidCheckpoint),
    "weights cut short": (cut_weights, InvalidCheckpoint),
    "weights without the memory's": (without_memory_weights, InvalidCheckpoint),
    "weights of another shape": (with_wider_weights, InvalidCheckpoint),
    "a tokenizer that is none": (damaged_text("tokenizer.json", "{}"), InvalidCheckpoint),
    "a reference that is not JSON": (damaged_text("backbone.json", "{"), InvalidCheckpoint),
    "a reference to nothing": (damaged_text("backbone.json", "{}"), InvalidCheckpoint),
}


@pytest.mark.parametrize(("damage", "kind"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_refused_with_a_remedy(damage, kind, tmp_path):
    directory = save_with_tokenizer(tiny_hmt("llama"), tmp_path / "model")
    damage(directory)
    assert_refused(directory, kind)


def assert_refused(directory: Path, kind: type[ModelProblem]) -> None:
    """Opening it, or using what it opened, raises `kind`; whatever is used first."""

    raised = []
    for use in (lambda e: e.segment_length, lambda e: e.tokenizer, lambda e: e.model):
        try:
            use(LocalEngine(directory, device="cpu", dtype="float32"))
        except kind as problem:
            raised.append(problem)
    assert raised
    for problem in raised:
        assert problem.remedy
        assert problem.subject
        assert "\n" not in str(problem)


class Payload:
    """Pickles into a call that leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.bin", "model.pt", "model.pkl"])
def test_a_folder_with_pickled_weights_only_is_refused_and_nothing_in_it_runs(name, tmp_path):
    directory = save_with_tokenizer(tiny_hmt("llama"), tmp_path / "model")
    (directory / "model.safetensors").unlink()
    (directory / name).write_bytes(pickle.dumps(Payload(tmp_path / "trace")))
    with pytest.raises(ModelMissing, match="safetensors"):
        Checkpoint.open(directory)
    assert not (tmp_path / "trace").exists()


def test_pickled_weights_beside_an_unrelated_safetensors_file_are_refused_too(tmp_path):
    directory = save_with_tokenizer(tiny_hmt("llama"), tmp_path / "model")
    (directory / "model.safetensors").rename(directory / "other.safetensors")
    (directory / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "trace")))
    with pytest.raises(InvalidCheckpoint):
        load(directory)
    assert not (tmp_path / "trace").exists()


def test_code_beside_a_model_is_never_run_nor_asked_about(tmp_path, monkeypatch):
    directory = save_with_tokenizer(tiny_hmt("llama"), tmp_path / "model")
    trace = tmp_path / "trace"
    (directory / "evil.py").write_text(f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n")
    with_config(model_type="evil", auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"})(
        directory
    )
    monkeypatch.setattr("builtins.input", lambda prompt="": "y")  # the user types ahead
    with pytest.raises(InvalidCheckpoint):
        load(directory)
    assert not trace.exists()


def test_the_embedded_checkpoint_stays_small_enough_to_ship():
    sizes = {path.name: path.stat().st_size for path in EMBEDDED_MODEL.iterdir()}
    assert sum(sizes.values()) < 48e6
    assert max(sizes.values()) < 45e6
    assert {Path(name).suffix for name in sizes} <= {".safetensors", ".json", ".md"}


@pytest.fixture(scope="module")
def english_loss(embedded: LocalEngine) -> Callable[[HMTForCausalLM], float]:
    ids_BT = torch.tensor([embedded.encode(ENGLISH).ids])

    @torch.inference_mode()
    def loss(model: HMTForCausalLM) -> float:
        return float(model(ids_BT, labels=ids_BT).loss)

    return loss


def test_the_embedded_model_knows_english(embedded, english_loss):
    assert english_loss(embedded.model) < 5.0


def test_the_embedded_model_reads_alike_in_bfloat16(embedded, english_loss):
    half = load(EMBEDDED_MODEL, dtype=torch.bfloat16)
    assert half.memory.query.weight.dtype == half.get_input_embeddings().weight.dtype == torch.bfloat16
    assert english_loss(half) == pytest.approx(english_loss(embedded.model), rel=0.02)
