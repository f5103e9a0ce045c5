"""The model as a Hugging Face model: saved, loaded, trained, and frugal while it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM, Segments
from tests.hmt_qa.models import FAMILIES, VOCABULARY, Watch, backbone_config, tiny_hmt

LENGTHS = [8 * 3, 8 * 2, 8, 5, 8 + 1, 8 * 2 + 7]


def tokens(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


def sizes_of(config: HMTConfig) -> dict[str, object]:
    """The configuration without what only says how it was loaded."""
    own = {name: value for name, value in config.to_dict().items() if name not in {"_name_or_path", "dtype"}}
    return own | {"backbone_config": own["backbone_config"] | {"dtype": None}}


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_saving_then_loading_is_the_identity_to_the_bit(family, tiny, tmp_path):
    model = tiny(family)
    model.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".safetensors", ".json"}
    loaded = HMTForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    before, after = model.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert sizes_of(loaded.config) == sizes_of(model.config)
    ids_BT = tokens(1, 20)
    again = HMTForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert torch.equal(again(ids_BT).logits, loaded(ids_BT).logits)
    # not to the bit: loaded weights lie at other addresses, and matrix products differ with the alignment of theirs
    torch.testing.assert_close(model(ids_BT).logits, loaded(ids_BT).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_classes_find_the_model_by_its_folder_alone(family, tiny, tmp_path):
    tiny(family).save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), HMTConfig)
    assert isinstance(AutoModelForCausalLM.from_pretrained(tmp_path), HMTForCausalLM)


def test_tied_embeddings_are_still_tied_after_loading(tiny, tmp_path):
    tiny("qwen3").save_pretrained(tmp_path)
    loaded = HMTForCausalLM.from_pretrained(tmp_path)
    assert loaded.get_input_embeddings().weight is loaded.get_output_embeddings().weight


@pytest.mark.parametrize(
    "sizes",
    [
        {"summary_length": 0},
        {"summary_length": 9},
        {"sensory_length": -1},
        {"sensory_length": 9},
        {"recall_window": 0},
        {"recall_size": 0},
        {"memories_per_segment": 0},
        {"segment_length": 0, "sensory_length": 0},
        {"segment_length": -4, "sensory_length": 0},
    ],
    ids=str,
)
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match=next(iter(sizes)).removeprefix("segment_")):
        HMTConfig(backbone_config=backbone_config("llama"), **({"segment_length": 8, "sensory_length": 3} | sizes))


def test_sizes_left_out_follow_from_the_others():
    config = HMTConfig(backbone_config=backbone_config("opt"), segment_length=100)
    assert (config.summary_length, config.recall_size, config.hidden_size) == (50, 16, 16)
    assert (config.recall_window, config.sensory_length) == (300, 32)


def test_a_position_table_too_short_for_a_step_is_refused():
    tight = backbone_config("opt", max_position_embeddings=8 + 3 + 2)
    HMTForCausalLM(HMTConfig(backbone_config=tight, segment_length=8, sensory_length=3))
    short = backbone_config("opt", max_position_embeddings=8 + 3 + 1)
    with pytest.raises(ValueError, match="12 positions, a step needs 13"):
        HMTForCausalLM(HMTConfig(backbone_config=short, segment_length=8, sensory_length=3))


def test_a_step_as_long_as_the_position_table_reads_without_failing():
    tight = backbone_config("opt", max_position_embeddings=8 + 3 + 2)
    model = HMTForCausalLM(HMTConfig(backbone_config=tight, segment_length=8, sensory_length=3)).eval()
    assert model(tokens(1, 24)).logits.isfinite().all()


@torch.no_grad()
def test_the_loss_is_the_cross_entropy_of_each_next_token(tiny):
    ids_BT = tokens(2, 21)
    output = tiny("llama")(ids_BT, labels=ids_BT)
    expected = cross_entropy(output.logits[:, :-1].flatten(0, 1), ids_BT[:, 1:].flatten())
    torch.testing.assert_close(output.loss, expected)
    assert tiny("llama")(ids_BT).loss is None


@torch.no_grad()
def test_labels_of_minus_100_are_ignored(tiny):
    ids_BT = tokens(2, 21)
    labels_BT = ids_BT.clone()
    labels_BT[:, ::2] = -100
    output = tiny("llama")(ids_BT, labels=labels_BT)
    kept_BT = labels_BT[:, 1:] != -100
    expected = cross_entropy(output.logits[:, :-1][kept_BT], ids_BT[:, 1:][kept_BT])
    torch.testing.assert_close(output.loss, expected)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_right_padding_changes_no_logit_and_no_loss(family, tiny):
    model = tiny(family)
    ids_BT, lengths_B = tokens(len(LENGTHS), max(LENGTHS) + 3), torch.tensor(LENGTHS)
    mask_BT = torch.arange(ids_BT.shape[1]) < lengths_B[:, None]
    labels_BT = ids_BT.masked_fill(~mask_BT, -100)
    together = model(ids_BT, attention_mask=mask_BT.long(), labels=labels_BT)
    lost = torch.zeros(())
    for row, length in enumerate(LENGTHS):
        alone = model(ids_BT[row : row + 1, :length], labels=ids_BT[row : row + 1, :length])
        torch.testing.assert_close(together.logits[row, :length], alone.logits[0], atol=1e-5, rtol=1e-5)
        lost = lost + alone.loss * (length - 1)
    torch.testing.assert_close(together.loss, lost / (sum(LENGTHS) - len(LENGTHS)))


@torch.no_grad()
def test_what_stands_in_the_padding_makes_no_difference(tiny):
    model = tiny("qwen3")
    ids_BT = tokens(1, 16)
    mask_BT = (torch.arange(16) < 11)[None].long()
    other_BT = torch.where(mask_BT.bool(), ids_BT, (ids_BT + 7) % VOCABULARY)
    before, after = (model(ids, attention_mask=mask_BT).logits[:, :11] for ids in (ids_BT, other_BT))
    assert torch.equal(before, after)


@torch.no_grad()
def test_a_later_token_never_changes_an_earlier_logit_or_memory(tiny):
    model = tiny("llama")
    ids_BT = tokens(1, 24)
    changed_BT = ids_BT.clone()
    changed_BT[0, 13] = (changed_BT[0, 13] + 1) % VOCABULARY
    # the recall of a segment reads its first half: within that segment the prompt may see ahead, before it never
    torch.testing.assert_close(model(ids_BT).logits[:, :7], model(changed_BT).logits[:, :7])


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_reading_never_runs_the_lm_head_and_never_builds_a_cache(family):
    model = tiny_hmt(family)
    watch = Watch(model)
    segments = Segments(tokens(1, 8), torch.tensor([8]))
    state = model.initial_state(1)
    for _ in range(3):
        state = model.read(segments, model.represent(segments), state).state
    assert watch.passes == 6
    assert watch.heads == 0
    assert not any(cache is not None for cache in watch.cached)


@torch.no_grad()
def test_the_watch_of_the_test_before_sees_heads_and_caches_where_there_are_some():
    model = tiny_hmt("llama")
    watch = Watch(model)
    model(tokens(1, 8))
    assert watch.heads == 1
    with pytest.raises(AssertionError):
        model.backbone(tokens(1, 8), use_cache=True)
    assert any(cache is not None for cache in watch.cached)


@torch.no_grad()
def test_all_summaries_of_a_document_come_from_one_pass_of_the_backbone():
    model = tiny_hmt("llama")
    watch = Watch(model)
    model(tokens(2, 8 * 5))
    assert watch.passes == 1 + 5


@torch.no_grad()
def test_a_question_is_summarised_whole(tiny):
    model = tiny("llama")
    segments = Segments(tokens(1, 8), torch.tensor([8]))
    other = Segments(segments.ids_BW.clone(), segments.lengths_B)
    other.ids_BW[0, 7] = (other.ids_BW[0, 7] + 1) % VOCABULARY
    assert torch.equal(model.represent(segments), model.represent(other))
    assert not torch.equal(model.represent(segments, length=8), model.represent(other, length=8))


def test_a_saved_configuration_names_no_folder_of_the_machine_that_made_it(tiny, tmp_path: Path):
    tiny("llama").save_pretrained(tmp_path)
    assert str(tmp_path) not in (tmp_path / "config.json").read_text()
