"""What is known of published models, by the spellings that people use."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.models.registry import (
    describe,
    families,
    family_in_name,
    find,
    guess,
    lookup,
    size_in_name,
    spelling,
    split_step,
    step_of,
)

ENTRIES = [entry for rows in families().values() for entry in rows]


@pytest.mark.parametrize(
    "name",
    [
        "EleutherAI/pythia-70m-deduped",
        "EleutherAI/pythia-v1.1-70m-deduped",
        "pythia-70m-deduped",
        "Pythia-70M-Deduped",
        "pythia_70m_deduped",
        "/data/checkpoints/pythia-70m-deduped/",
        "pythia-70m-deduped-bf16",
    ],
)
def test_spellings_of_one_model(name: str) -> None:
    found = lookup(name)
    assert found is not None
    assert (found.name, found.family, found.params) == (name, "pythia", 70426624)
    assert (found.step, found.tokens, found.layers, found.width, found.heads) == (
        143000,
        143000 * 2097152,
        6,
        512,
        8,
    )


def test_checkpoints_have_the_tokens_seen_by_then() -> None:
    found = lookup("EleutherAI/pythia-12b", "step1000")
    assert found is not None
    assert (found.id, found.step, found.tokens) == ("EleutherAI/pythia-12b@step1000", 1000, 2097152000)
    assert found.flops == 6 * 11846072320 * 2097152000
    untrained = lookup("pythia-12b-step0")
    assert untrained is not None
    assert (untrained.name, untrained.revision, untrained.tokens, untrained.flops) == (
        "pythia-12b",
        "step0",
        0,
        None,
    )


def test_a_checkpoint_of_a_model_whose_batch_nobody_tells_has_no_tokens() -> None:
    found = lookup("bigscience/bloom-560m-intermediate", "global_step10000")
    assert found is not None
    assert (found.family, found.step, found.tokens, found.flops) == ("bloom", 10000, None, None)
    told = lookup("allenai/OLMo-2-1124-7B", "stage1-step2000-tokens9B")
    assert told is not None
    assert (told.step, told.tokens) == (2000, 9e9)


@pytest.mark.parametrize("revision", ["", "main", "0123abcd"])
def test_other_revisions_are_the_finished_model(revision: str) -> None:
    found = lookup("EleutherAI/pythia-1b", revision)
    assert found is not None
    assert found.tokens == 143000 * 2097152


@pytest.mark.parametrize(
    ("name", "family", "billions"),
    [
        ("facebook/opt-125m", "opt", 0.125),
        ("bigscience/bloom-7b1", "bloom", 7.07),
        ("huggyllama/llama-7b", "llama", 6.74),
        ("meta-llama/Llama-2-7b-hf", "llama-2", 6.74),
        ("meta-llama/Meta-Llama-3-70B", "llama-3", 70.6),
        ("meta-llama/Meta-Llama-3.1-405B-FP8", "llama-3.1", 406),
        ("Qwen/Qwen-1_8B", "qwen", 1.84),
        ("Qwen/Qwen1.5-0.5B", "qwen1.5", 0.464),
        ("Qwen/Qwen2-72B", "qwen2", 72.7),
        ("Qwen/Qwen2.5-3B", "qwen2.5", 3.09),
        ("Qwen/Qwen3-8B-Base", "qwen3", 8.19),
        ("gpt2-xl", "gpt2", 1.56),
        ("EleutherAI/gpt-neo-2.7B", "gpt-neo", 2.65),
        ("EleutherAI/gpt-j-6b", "gpt-neo", 6.05),
        ("EleutherAI/gpt-neox-20b", "gpt-neo", 20.6),
        ("mistralai/Mistral-7B-v0.1", "mistral", 7.24),
        ("mistralai/Mixtral-8x7B-v0.1", "mixtral", 46.7),
        ("tiiuae/falcon-40b", "falcon", 41.3),
        ("mosaicml/mpt-7b", "mpt", 6.65),
        ("cerebras/Cerebras-GPT-13B", "cerebras-gpt", 12.9),
        ("allenai/OLMo-7B-hf", "olmo", 6.89),
        ("allenai/OLMo-2-1124-13B", "olmo-2", 13.7),
        ("google/gemma-2b", "gemma", 2.51),
        ("google/gemma-2-2b", "gemma-2", 2.61),
        ("stabilityai/stablelm-2-1_6b", "stablelm-2", 1.64),
        ("microsoft/phi-1_5", "phi", 1.42),
        ("01-ai/Yi-34B-200K", "yi", 34.4),
        ("deepseek-ai/deepseek-llm-67b-base", "deepseek-llm", 67.4),
        ("baichuan-inc/Baichuan2-7B-Base", "baichuan2", 7.51),
        ("codellama/CodeLlama-34b-hf", "codellama", 33.7),
        ("bigcode/starcoderbase-7b", "starcoder", 7.33),
    ],
)
def test_families_that_people_ask_for(name: str, family: str, billions: float) -> None:
    found = lookup(name)
    assert found is not None
    assert found.family == family
    assert found.params == pytest.approx(billions * 1e9, rel=5e-3)


def test_tuned_models_are_a_family_of_their_own() -> None:
    found = lookup("meta-llama/Llama-2-7b-chat-hf")
    assert found is not None
    assert (found.family, found.parent) == ("llama-2-chat", "meta-llama/Llama-2-7b-hf")


def test_compute_of_a_mixture_counts_the_active_parameters() -> None:
    found, entry = lookup("deepseek-ai/DeepSeek-V2"), find("deepseek-ai/DeepSeek-V2")
    assert found is not None
    assert entry is not None
    assert (found.params, entry.active, found.tokens) == (235741434880, 21e9, 8.1e12)
    assert found.flops == 6 * 21e9 * 8.1e12


def test_compute_that_the_source_states_stands() -> None:
    found = lookup("cerebras/Cerebras-GPT-111M")
    assert found is not None
    assert found.flops == 2.6e18


def test_non_embedding_parameters() -> None:
    entry = find("pythia-70m")
    assert entry is not None
    assert entry.non_embedding == 18915328


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_rows_are_sound(entry) -> None:  # type: ignore[no-untyped-def]
    assert 1e7 < entry.params < 1e12
    assert entry.tokens is None or 1e9 < entry.tokens < 1e14
    assert entry.active is None or entry.active < entry.params
    assert entry.non_embedding is None or entry.non_embedding < entry.params
    assert entry.released is None or date(2019, 1, 1) < date.fromisoformat(entry.released) < date(2026, 1, 1)
    assert entry.source
    if entry.layers and entry.width and entry.active is None:
        # A block has about 12 x width^2 parameters, or up to three times that with a wide gated MLP.
        body = entry.params - (entry.params - entry.non_embedding if entry.non_embedding else 0)
        assert 4 * entry.layers * entry.width**2 < body < 45 * entry.layers * entry.width**2 + 4e8
    if entry.flops and entry.tokens:
        assert 0.5 < entry.flops / (6 * (entry.active or entry.params) * entry.tokens) < 2
    size = size_in_name(entry.name)
    if size is not None and "x" not in entry.name.split("/")[-1]:
        assert 0.68 < entry.params / size < 1.5, "the name rounds the parameters"


def test_no_spelling_stands_for_two_models() -> None:
    owners: dict[str, set[str]] = {}
    for entry in ENTRIES:
        for name in (entry.name, *entry.aliases):
            owners.setdefault(spelling(name), set()).add(entry.name)
    assert [names for names in owners.values() if len(names) > 1] == []
    assert len(ENTRIES) > 200


def test_published_table_is_known(shared: Path) -> None:
    lines = (shared / "data" / "obscaling" / "base_llm_benchmark_eval.csv").read_text().splitlines()[1:]
    missing = [line.split(",")[0] for line in lines if lookup(line.split(",")[0]) is None]
    assert missing == ["RWKV/rwkv-raven-14b"]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("acme/wonder-7b", 7e9),
        ("wonder-1.3B-chat", 1.3e9),
        ("wonder_350M", 350e6),
        ("bloom-7b1", 7.1e9),
        ("stablelm-2-1_6b", 1.6e9),
        ("wonder-8k", None),
        ("wonder-8x7b", None),
        ("gpt2", None),
        ("b2b-model", None),
    ],
)
def test_size_in_a_name(name: str, size: float | None) -> None:
    assert size_in_name(name) == size


def test_guess_says_where_it_comes_from() -> None:
    known = guess("acme/wonder-7b", "step2000")
    assert (known.name, known.family, known.params, known.step, known.source) == (
        "acme/wonder-7b", "wonder", 7e9, 2000, "name",
    )  # fmt: skip
    nothing = guess("acme/wonder")
    assert (nothing.params, nothing.source) == (None, "")


def test_families_of_names() -> None:
    assert {family_in_name(f"tiro-{shape}") for shape in ("1x8", "2x64", "2x16-seed1", "3x80-step500")} == {
        "tiro"
    }
    assert family_in_name("7b") == "7b"


@given(name=st.text(max_size=30), revision=st.text(max_size=20))
def test_any_name_has_a_record(name: str, revision: str) -> None:
    found = describe(name, revision)
    assert found.params is None or found.params >= 0
    assert found.step is None or found.step >= 0
    bare, tail = split_step(name)
    assert found.name == bare
    assert name.startswith(bare)
    assert step_of(tail) is not None or tail == ""


def test_sources_are_citations() -> None:
    cited = [entry for entry in ENTRIES if re.search(r"arXiv:\d{4}\.\d{5}|card|GitHub|20\d\d", entry.source)]
    assert len(cited) == len(ENTRIES)
