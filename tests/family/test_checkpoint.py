import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.family import finals, path
from saltus.family.corpus import ALPHABET, World, decode, encode

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LARGEST = path("tiro-2x64", 2000)


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return transformers.AutoModelForCausalLM.from_pretrained(LARGEST).eval()


TOKENIZER = transformers.AutoTokenizer.from_pretrained(LARGEST)


@given(st.text(st.sampled_from(ALPHABET)))
def test_the_tokenizer_takes_one_character_for_one_token(text):
    codes = TOKENIZER(text).input_ids
    assert codes == encode(text)
    assert TOKENIZER.decode(codes) == text


@given(st.text())
def test_the_tokenizer_takes_any_text(text):
    assert TOKENIZER(text).input_ids == encode(text)


def test_the_newline_is_the_beginning_and_the_end():
    assert [TOKENIZER.bos_token_id, TOKENIZER.eos_token_id, TOKENIZER.pad_token_id] == [0, 0, 0]
    assert len(TOKENIZER) == 64


@pytest.mark.parametrize("record", finals(), ids=lambda record: record.name)
def test_every_model_loads_as_what_its_record_says(record):
    loaded = transformers.AutoModelForCausalLM.from_pretrained(record.location)
    assert loaded.dtype == torch.float32
    assert sum(p.numel() for p in loaded.parameters()) == record.params
    assert loaded.config.num_hidden_layers == record.layers
    assert loaded.config.hidden_size == record.width
    assert loaded.config.num_attention_heads == record.heads
    assert loaded.config.rope_parameters["partial_rotary_factor"] == 1.0


def test_older_versions_of_transformers_find_their_names_too():
    config = json.loads((LARGEST / "config.json").read_text())
    assert (config["rotary_pct"], config["rotary_emb_base"]) == (1.0, 10000.0)


def test_generation_answers_recall(model):
    items = World().items("recall", 16)
    prompts = torch.from_numpy(items.prompts)
    out = model.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=1, do_sample=False)
    right = out[:, -1:].numpy() == items.targets
    assert right.mean() > 0.9, [decode(row) for row in out.numpy()]


def test_generation_ends_its_line(model):
    prompt = TOKENIZER("\n<abcdef|", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    assert TOKENIZER.decode(out).endswith("\n")
    assert len(out) - prompt.input_ids.shape[1] == 7
    assert np.isin(out.numpy(), np.arange(64)).all()
