"""Marks of items: those of the family, and what goes wrong between a mark and a tokenizer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from saltus.family.suite import suite
from saltus.interpret.attention.heads import head_scores
from saltus.interpret.attention.probes import make_probes, probe_vocabulary
from saltus.interpret.network.prompts import make_prompts
from saltus.models.encoding import Encoder
from saltus.records import InputError
from saltus.records.evidence import Sample

from . import small

TASKS = {task.name: task for task in suite(32).tasks}


@pytest.mark.parametrize("name", list(TASKS))
def test_a_counterfactual_is_as_long_and_begins_with_another_answer(name):
    for sample in TASKS[name].items():
        twins = sample.extra["counterfactuals"]
        assert twins
        for twin in twins.values():
            assert len(twin["input"]) == len(sample.input)
            assert twin["input"] != sample.input
            assert len(twin["target"]) == len(sample.target)
            assert twin["target"][0] != sample.target[0]


@pytest.mark.parametrize("name", ["recall", "reverse", "sort", "override"])
def test_a_source_is_the_first_character_of_the_answer(name):
    for sample in TASKS[name].items():
        assert sample.extra["sources"]
        assert all(sample.input[a:b] == sample.target[0] for a, b in sample.extra["sources"])


def solved(name, prompt):
    """The right answer by the rule of the task."""
    body = prompt[2:-1]
    match name:
        case "recall":
            return prompt[prompt.index(prompt[-1], 1) + 1]
        case "addition":
            total = int(prompt[1]) + int(prompt[3])
            return f"{total % 10}{total // 10}"
        case "parity":
            return str(body.count("1") % 2)
        case "reverse":
            return body[::-1]
        case "sort":
            return "".join(sorted(body))
        case _:
            return prompt[5]


@pytest.mark.parametrize("name", ["recall", "addition", "parity", "reverse", "sort", "override"])
def test_counterfactuals_are_right(name):
    for sample in TASKS[name].items():
        assert solved(name, sample.input) == sample.target
        for twin in sample.extra["counterfactuals"].values():
            assert solved(name, twin["input"]) == twin["target"]


@pytest.mark.parametrize("name", ["facts", "recite"])
def test_counterfactuals_from_memory_are_known(name):
    known = {
        sample.input: sample.target for sample in next(t for t in suite(2000).tasks if t.name == name).items()
    }
    twins = [twin for sample in TASKS[name].items() for twin in sample.extra["counterfactuals"].values()]
    checked = [twin for twin in twins if twin["input"] in known]
    assert len(checked) > 16
    assert all(known[twin["input"]] == twin["target"] for twin in checked)


def bpe(*texts: str) -> Encoder:
    """A byte-pair tokenizer trained on these texts, which merges whatever is frequent in them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<s>"], show_progress=False)
    tokenizer.train_from_iterator(list(texts) * 50, trainer)
    return Encoder(PreTrainedTokenizerFast(tokenizer_object=tokenizer))


def item(text: str, sources: object, target: str = " 7") -> Sample:
    return Sample(task="t", task_version="", id="t-1", input=text, target=target, extra={"sources": sources})


def test_a_mark_that_the_tokenizer_merges_is_named():
    encoder = bpe("x7 y8 x7", "x7 y8")
    with pytest.raises(InputError, match=r"item t-1 of t: the tokenizer merges the marked '7'.*x7'") as error:
        make_prompts([item("y8 x7 x", [[4, 5]])], encoder)
    assert error.value.field == "sources"
    prompts = make_prompts([item("y8 x7 x", [[3, 5]])], encoder)
    assert prompts.sources is not None
    assert encoder.text([prompts.tokens[0, i] for i in prompts.sources[0]]).endswith("x7")


@pytest.mark.parametrize("sources", [[[4, 99]], ["7"], [[1]], 3])
def test_a_mark_of_another_shape_is_one_sentence(sources):
    encoder = bpe("x7 y8")
    with pytest.raises(InputError, match="item t-1 of t"):
        make_prompts([item("y8 x7 x", sources)], encoder)


def test_twins_must_be_as_long():
    encoder = bpe("x7 y8")
    twin = {"longer": {"input": "y8 x7 x y8", "target": " 8"}}
    sample = Sample(
        task="t", task_version="", id="t-1", input="y8 x7", target=" 7", extra={"counterfactuals": twin}
    )
    with pytest.raises(InputError, match=r"'longer' of item t-1 has .* tokens and its prompt"):
        make_prompts([sample], encoder)


def test_a_task_without_sources_says_so_where_they_are_needed():
    loaded, model = small.trained()
    prompts = small.prompts("addition", 8)
    probes = make_probes(probe_vocabulary(loaded.encoder), context=64)
    with pytest.raises(InputError, match=r"task addition do not mark.*add `sources`"):
        head_scores(model, probes, prompts)
