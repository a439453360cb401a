"""Batched answers of local models against a plain one-row-at-a-time computation, on three architectures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saltus.models import TransformersModel, load_model
from saltus.models.encoding import Encoder
from saltus.models.memory import Budget
from saltus.models.network import Network
from saltus.models.scoring import score
from saltus.records import (
    GenerateRequest,
    InputError,
    LoglikelihoodRequest,
    Message,
    MissingExtraError,
    ModelError,
    ModelRecord,
    UsageError,
)

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789:?"
CONTEXT = 48
ARCHITECTURES = ("gpt_neox", "gpt2", "llama")
CONTEXTS = ("abc:", "the cat ", "a", "1 2 3 4 5 6 7 8 9:", "zz?\n", "where is it?")
CHOICES = (" yes", " no", "q", "maybe so", "x y z")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def config(architecture: str) -> Any:
    size = len(ALPHABET)
    common = {"vocab_size": size, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    match architecture:
        case "gpt2":
            return transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, **common)
        case "llama":
            return transformers.LlamaConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=CONTEXT,
                **common,
            )
        case "bloom":  # ALiBi: no position ids, and no way to hide one branch from another
            return transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **common)
        case "mistral":  # a sliding window, which a tree mask would switch off
            return transformers.MistralConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=CONTEXT,
                sliding_window=8,
                **common,
            )
        case "mamba":  # recurrent: padding before a prompt would change its state
            return transformers.MambaConfig(hidden_size=32, num_hidden_layers=2, state_size=4, **common)
        case _:
            return transformers.GPTNeoXConfig(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
                rotary_pct=0.5,
                **common,
            )


def tokenizer() -> Any:
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import WordLevel

    inner = Tokenizer(WordLevel({c: i for i, c in enumerate(ALPHABET)}, unk_token="?"))  # noqa: S106 - a token, no password
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    special = {"bos_token": "\n", "eos_token": "\n", "unk_token": "?"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **special)


def save(folder: Path, architecture: str, *, seed: int = 0, dtype: str = "float32") -> Path:
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config(architecture))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1 and architecture != "mamba":
                parameter.mul_(8)  # an untrained model hardly attends; a wrong mask must show
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    names = (*ARCHITECTURES, "bloom", "mistral", "mamba")
    return {name: save(root / name, name) for name in names}


def naive(folder: Path, context: str, continuation: str) -> tuple[list[float], list[bool]]:
    """One row, no padding, no mask, the whole sequence through transformers' own model."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    head = context.rstrip()
    tail = context[len(head) :] + continuation
    left = [ALPHABET.index(c) for c in head] or [0]
    right = [ALPHABET.index(c) for c in tail]
    ids = torch.tensor([left + right[:-1]])
    with torch.inference_mode():
        logprobs = model(ids).logits[0].log_softmax(-1)[len(left) - 1 :]
    return (
        [float(row[token]) for row, token in zip(logprobs, right, strict=True)],
        [bool(row.argmax() == token) for row, token in zip(logprobs, right, strict=True)],
    )


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "bloom", "mistral", "mamba"])
def test_loglikelihood_is_that_of_one_row_at_a_time(saved: dict[str, Path], architecture: str) -> None:
    model = TransformersModel(saved[architecture])
    requests = [LoglikelihoodRequest(context, CHOICES) for context in CONTEXTS]
    requests += [LoglikelihoodRequest("single ", ("a", "b", "c")), LoglikelihoodRequest("one", ("answer",))]
    answers = model.loglikelihood(requests)
    for request, answer in zip(requests, answers, strict=True):
        for text, continuation in zip(request.continuations, answer.continuations, strict=True):
            logprobs, greedy = naive(saved[architecture], request.context, text)
            np.testing.assert_allclose(continuation.logprobs, logprobs, atol=1e-4)
            assert list(continuation.greedy) == greedy


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_common_architectures_share_the_context(saved: dict[str, Path], architecture: str) -> None:
    model = TransformersModel(saved[architecture])
    assert model._network.takes_tree_mask
    assert model._network.takes_left_padding
    # Fewer tokens go through the network than with one row for each choice.
    seen: list[int] = []
    original = Network.logits

    def counting(self: Network, ids: Any, at: Any, **inputs: Any) -> Any:
        seen.append(ids.numel())
        return original(self, ids, at, **inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "logits", counting)
        model.loglikelihood([LoglikelihoodRequest("1 2 3 4 5 6 7 8 9:", ("yes", "not", "all"))])
    assert seen == [len("1 2 3 4 5 6 7 8 9:") + 3 * 2]


def test_architectures_that_cannot_are_found_out(saved: dict[str, Path]) -> None:
    assert not TransformersModel(saved["bloom"])._network.takes_tree_mask
    assert not TransformersModel(saved["mamba"])._network.takes_tree_mask


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "bloom", "mistral", "mamba"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_generation_does_not_depend_on_the_batch(
    saved: dict[str, Path], architecture: str, temperature: float
) -> None:
    model = TransformersModel(saved[architecture])
    requests = [
        GenerateRequest(context, max_tokens=6 + i, temperature=temperature, seed=5, stop=("b", "3 "))
        for i, context in enumerate(CONTEXTS)
    ]
    together = model.generate(requests)
    alone = [model.generate([request])[0] for request in requests]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.finish for answer in together] == [answer.finish for answer in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
    small = TransformersModel(saved[architecture], batch_tokens=20).generate(requests)
    assert [answer.text for answer in small] == [answer.text for answer in alone]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_generation_is_that_of_transformers(saved: dict[str, Path], architecture: str) -> None:
    reference = transformers.AutoModelForCausalLM.from_pretrained(
        saved[architecture], dtype=torch.float32
    ).eval()
    model = TransformersModel(saved[architecture])
    answers = model.generate([GenerateRequest(context, max_tokens=12) for context in CONTEXTS])
    for context, answer in zip(CONTEXTS, answers, strict=True):
        ids = torch.tensor([[ALPHABET.index(c) for c in context]])
        out = reference.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=0
        )
        text = "".join(ALPHABET[i] for i in out[0, ids.shape[1] :].tolist())
        assert answer.text == text.split("\n")[0]
        assert answer.finish == ("stop" if "\n" in text else "length")
        assert answer.completion_tokens == len(answer.logprobs)


def test_stop_strings_end_the_answer_and_are_not_part_of_it(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["gpt_neox"])
    [free] = model.generate([GenerateRequest("the cat", max_tokens=10)])
    assert len(free.text) >= 5
    stop = free.text[3:5]
    [ended] = model.generate([GenerateRequest("the cat", max_tokens=10, stop=("nowhere", stop))])
    assert ended.text == free.text[: free.text.index(stop)]
    assert ended.finish == "stop"
    assert ended.completion_tokens < free.completion_tokens
    # One token a character here: the ids are those of the text, without the stop string.
    assert free.tokens == tuple(ALPHABET.index(letter) for letter in free.text)
    assert ended.tokens == free.tokens[: len(ended.text)]


def test_continuations_come_with_their_tokens(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["gpt_neox"])
    [scored] = model.loglikelihood([LoglikelihoodRequest("abc:", ("yes", "no"))])
    ids = [tuple(ALPHABET.index(letter) for letter in text) for text in ("yes", "no")]
    assert [one.tokens for one in scored.continuations] == ids
    assert [len(one.logprobs) for one in scored.continuations] == [3, 2]


def test_sampling_follows_the_seed_and_the_distribution(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["gpt_neox"])
    requests = [GenerateRequest("abc:", max_tokens=1, temperature=2.0, seed=seed) for seed in range(600)]
    drawn = [answer.text for answer in model.generate(requests)]
    assert drawn == [answer.text for answer in model.generate(requests)]
    [scored] = model.loglikelihood([LoglikelihoodRequest("abc:", tuple(ALPHABET[1:]))])
    weights = np.exp(np.array([one.total for one in scored.continuations]) / 2.0)
    [end] = model.loglikelihood([LoglikelihoodRequest("abc:", ("\n",))])
    expected = weights / (weights.sum() + np.exp(end.continuations[0].total / 2.0))
    likeliest = int(expected.argmax())
    share = np.mean([text == ALPHABET[1 + likeliest] for text in drawn])
    assert abs(share - expected[likeliest]) < 4 * np.sqrt(expected[likeliest] / 600)


def test_a_prompt_that_is_too_long_is_cut_and_says_so(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["gpt2"])
    long = "ab" * 40
    [answer] = model.generate([GenerateRequest(long, max_tokens=8)])
    assert answer.truncated == 80 - (CONTEXT + 1 - 8)
    assert answer.prompt_tokens == CONTEXT + 1 - 8
    [scored] = model.loglikelihood([LoglikelihoodRequest(long, ("xyz", "q"))])
    assert scored.truncated == 80 - (CONTEXT + 1 - 3)
    logprobs, _ = naive(saved["gpt2"], long[scored.truncated :], "xyz")
    np.testing.assert_allclose(scored.continuations[0].logprobs, logprobs, atol=1e-4)
    # A prompt that fits stays whole; the answer is what gets shorter.
    [tight] = model.generate([GenerateRequest("a" * CONTEXT, max_tokens=8)])
    assert (tight.truncated, tight.completion_tokens) == (0, 1)
    with pytest.raises(InputError, match=r"continuation has 60 tokens and gpt2 reads 48 at most"):
        model.loglikelihood([LoglikelihoodRequest("a", ("b" * 60,))])


def test_empty_texts(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["llama"])
    [scored] = model.loglikelihood([LoglikelihoodRequest("", ("abc", ""))])
    assert scored.continuations[1].logprobs == ()
    assert scored.continuations[1].total == 0.0
    logprobs, _ = naive(saved["llama"], "", "abc")
    np.testing.assert_allclose(scored.continuations[0].logprobs, logprobs, atol=1e-4)
    [answer] = model.generate([GenerateRequest("", max_tokens=2)])
    assert answer.prompt_tokens == 1
    assert model.generate([]) == []
    assert model.loglikelihood([]) == []
    [nothing] = model.generate([GenerateRequest("abc", max_tokens=0)])
    assert (nothing.text, nothing.finish) == ("", "length")
    with pytest.raises(UsageError, match="temperature is -1"):
        model.generate([GenerateRequest("a", temperature=-1)])


def test_an_empty_prompt_without_special_tokens_is_refused() -> None:
    bare = tokenizer()
    bare.bos_token = bare.eos_token = None
    with pytest.raises(ModelError, match="neither BOS nor EOS"):
        Encoder(bare).prompts([""])


def test_special_tokens_in_front_are_added_once() -> None:
    from tokenizers.processors import TemplateProcessing

    added = tokenizer()
    added.backend_tokenizer.post_processor = TemplateProcessing(
        single="\n $A ?", special_tokens=[("\n", 0), ("?", ALPHABET.index("?"))]
    )
    encoder = Encoder(added)
    a, b = ALPHABET.index("a"), ALPHABET.index("b")
    assert encoder.prompts(["ab", "\nab"]) == [[0, a, b], [0, a, b]]
    assert encoder.pairs(["a "], [["b", ""]]) == [([0, a], [[1, b], [1]])]


def test_half_precision_weights_are_computed_in_single(tmp_path: Path) -> None:
    folder = save(tmp_path / "half", "gpt_neox", dtype="float16")
    model = TransformersModel(folder, device="cpu")
    [scored] = model.loglikelihood([LoglikelihoodRequest("abc:", ("yes",))])
    logprobs, _ = naive(folder, "abc:", "yes")
    np.testing.assert_allclose(scored.continuations[0].logprobs, logprobs, atol=1e-5)
    assert model._network.dtype == torch.float32
    assert TransformersModel(folder, dtype="bfloat16").fingerprint != model.fingerprint


def test_only_the_asked_places_go_through_the_head(saved: dict[str, Path]) -> None:
    network = TransformersModel(saved["gpt2"])._network
    shapes: list[tuple[int, ...]] = []
    network.model.get_output_embeddings().register_forward_hook(
        lambda module, inputs, output: shapes.append(tuple(output.shape))
    )
    score(network, [([1, 2, 3], [[4, 5]]), ([1, 2], [[7], [8]])], budget=Budget(100))
    assert shapes == [(1, 3, len(ALPHABET))]


def test_the_fingerprint_is_that_of_the_content(saved: dict[str, Path], tmp_path: Path) -> None:
    copy = save(tmp_path / "copy", "gpt_neox")
    assert TransformersModel(copy).fingerprint == TransformersModel(saved["gpt_neox"]).fingerprint
    other = save(tmp_path / "other", "gpt_neox", seed=1)
    assert TransformersModel(other).fingerprint != TransformersModel(copy).fingerprint


def test_closing_frees_the_weights_and_asking_again_loads_them(saved: dict[str, Path]) -> None:
    model = load_model(ModelRecord(name="mine", location=str(saved["gpt_neox"])), threads=1)
    first = model.loglikelihood([LoglikelihoodRequest("a", ("b",))])
    model.close()
    model.close()
    assert model.loglikelihood([LoglikelihoodRequest("a", ("b",))]) == first
    assert model.record.name == "mine"


def missing(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        (folder / name).unlink()
    return folder


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["config.json"], "no config.json"),
        (["model.safetensors"], "no weights"),
        (["tokenizer.json", "tokenizer_config.json"], "no tokenizer"),
    ],
)
def test_a_directory_that_lacks_a_part(tmp_path: Path, names: list[str], said: str) -> None:
    folder = missing(save(tmp_path / "part", "gpt_neox"), names)
    with pytest.raises(ModelError, match=said):
        TransformersModel(folder)


def test_broken_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model directory"):
        TransformersModel(tmp_path / "nowhere")
    folder = save(tmp_path / "short", "gpt_neox")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ModelError, match="cannot be loaded"):
        TransformersModel(folder).generate([GenerateRequest("a")])
    other = save(tmp_path / "other", "gpt_neox")
    deeper = config("gpt_neox")
    deeper.num_hidden_layers = 3
    deeper.save_pretrained(other)
    with pytest.raises(ModelError, match=r"the weights lack \d+ tensors"):
        TransformersModel(other).generate([GenerateRequest("a")])
    spoilt = save(tmp_path / "tokens", "gpt_neox")
    (spoilt / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="tokenizer cannot be loaded"):
        TransformersModel(spoilt).generate([GenerateRequest("a")])


def test_wrong_options_are_one_sentence(saved: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="no data type"):
        TransformersModel(saved["gpt2"], dtype="int3")
    with pytest.raises(UsageError, match="device 'nowhere'"):
        TransformersModel(saved["gpt2"], device="nowhere")
    with pytest.raises(UsageError, match="batch_tokens is 0"):
        TransformersModel(saved["gpt2"], batch_tokens=0)
    with pytest.raises(ModelError, match="has no location"):
        load_model(ModelRecord(name="imported"))


def test_without_torch_the_sentence_says_what_to_install(
    saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(
        MissingExtraError, match=r'pip install torch==2\.13\.0 && pip install "saltus\[local\]"'
    ):
        TransformersModel(saved["gpt2"])


SHOTS = "a is 1? b is 2? c is 3? d is 4?\n"


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "bloom", "mistral", "mamba"])
def test_few_shot_prompts_get_the_answers_of_one_row_at_a_time(
    saved: dict[str, Path], architecture: str
) -> None:
    model = TransformersModel(saved[architecture])
    contexts = [SHOTS + rest for rest in ("e is", "xy is", "f:", "g", "zz is", "5")]
    for context, answer in zip(
        contexts, model.loglikelihood([LoglikelihoodRequest(c, CHOICES) for c in contexts]), strict=True
    ):
        for text, continuation in zip(CHOICES, answer.continuations, strict=True):
            logprobs, greedy = naive(saved[architecture], context, text)
            np.testing.assert_allclose(continuation.logprobs, logprobs, atol=1e-4)
            assert list(continuation.greedy) == greedy
    asked = [GenerateRequest(context, max_tokens=6) for context in contexts]
    together = model.generate(asked)
    for request, answer in zip(asked, together, strict=True):
        [alone] = model.generate([request])
        assert (answer.text, answer.tokens, answer.prompt_tokens) == (
            alone.text,
            alone.tokens,
            alone.prompt_tokens,
        )
        np.testing.assert_allclose(answer.logprobs, alone.logprobs, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_few_shot_prompts_have_in_common_is_computed_once(
    saved: dict[str, Path], architecture: str
) -> None:
    model = TransformersModel(saved[architecture])
    assert model._network.takes_prefix
    seen: list[int] = []
    original = Network.logits

    def counting(self: Network, ids: Any, at: Any, **inputs: Any) -> Any:
        seen.append(ids.numel())
        return original(self, ids, at, **inputs)

    requests = [LoglikelihoodRequest(SHOTS + letter + " is", ("1", "2")) for letter in "efghij"]
    model.loglikelihood(requests)  # the trials of what the architecture can do are over
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "logits", counting)
        model.loglikelihood(requests)
    assert seen == [len(SHOTS), 6 * len("e is")]


def out_of_memory_above(model: TransformersModel, most: int) -> list[int]:
    """Let the network fail as a full GPU does when it is given more than so many tokens."""
    seen: list[int] = []
    forward = model._network.model.forward

    def limited(ids: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(ids.numel())
        if ids.numel() > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(ids, *args, **kwargs)

    model._network.model.forward = limited
    return seen


def test_batches_shrink_when_memory_runs_out(saved: dict[str, Path]) -> None:
    requests = [LoglikelihoodRequest("abc" * (1 + i % 4), ("yes", "no")) for i in range(40)]
    prompts = [GenerateRequest("abc" * (1 + i % 4), max_tokens=5, temperature=1.0, seed=i) for i in range(40)]
    whole = TransformersModel(saved["gpt_neox"])
    small = TransformersModel(saved["gpt_neox"])
    assert small._network.takes_tree_mask
    assert small._network.takes_left_padding
    seen = out_of_memory_above(small, 100)
    for one, other in zip(whole.loglikelihood(requests), small.loglikelihood(requests), strict=True):
        for left, right in zip(one.continuations, other.continuations, strict=True):
            np.testing.assert_allclose(left.logprobs, right.logprobs, atol=1e-5)
    failures = sum(size > 100 for size in seen)
    assert failures > 0
    assert [a.text for a in whole.generate(prompts)] == [a.text for a in small.generate(prompts)]
    small.loglikelihood(requests)
    assert sum(size > 100 for size in seen[-5:]) == 0  # what was learnt stays
    tiny = TransformersModel(saved["gpt_neox"])
    out_of_memory_above(tiny, 5)
    with pytest.raises(ModelError, match="a single request does not fit into memory"):
        tiny.loglikelihood([LoglikelihoodRequest("abcdefgh", ("yes",))])


def test_other_errors_of_the_network_are_no_lack_of_memory(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["gpt_neox"])

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    model._network.model.forward = broken
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        model.loglikelihood([LoglikelihoodRequest("ab", ("yes",))])


def test_nucleus_sampling_draws_from_the_likeliest(saved: dict[str, Path]) -> None:
    model = TransformersModel(saved["gpt_neox"])
    [scored] = model.loglikelihood([LoglikelihoodRequest("abc:", tuple(ALPHABET))])
    shares = np.exp([one.total for one in scored.continuations])
    order = np.argsort(-shares)
    kept = int((np.cumsum(shares[order]) < 0.5).sum()) + 1
    allowed = {ALPHABET[i] for i in order[:kept]}
    requests = [
        GenerateRequest("abc:", max_tokens=1, temperature=1.0, top_p=0.5, seed=seed) for seed in range(300)
    ]
    drawn = {answer.text for answer in model.generate(requests)}
    assert drawn <= {character.replace("\n", "") for character in allowed}
    assert len(drawn) > 1 or kept == 1
    with pytest.raises(UsageError, match="top_p is 0"):
        model.generate([GenerateRequest("a", top_p=0.0)])


def test_conversations_go_through_the_models_own_template(saved: dict[str, Path], tmp_path: Path) -> None:
    turns = (Message("user", "ab"), Message("assistant", "cd"), Message("user", "ef"))
    model = TransformersModel(saved["llama"])
    [plain] = model.generate([GenerateRequest("", max_tokens=4, messages=turns)])
    [same] = model.generate(
        [GenerateRequest("User: ab\nAssistant: cd\nUser: ef\nAssistant:", max_tokens=4, stop=("\nUser:",))]
    )
    assert plain == same
    folder = save(tmp_path / "chat", "llama")
    made = tokenizer()
    made.chat_template = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }} {% endfor %}a:"
    made.save_pretrained(folder)
    chat = TransformersModel(folder)
    [answer] = chat.generate([GenerateRequest("", max_tokens=4, messages=turns)])
    [spelt] = chat.generate([GenerateRequest("u:ab a:cd u:ef a:", max_tokens=4)])
    assert answer == spelt
    made.chat_template = "{{ raise_exception('only one turn') }}"
    made.save_pretrained(folder)
    with pytest.raises(ModelError, match=r"chat template refuses the conversation \(only one turn\)"):
        TransformersModel(folder).generate([GenerateRequest("", messages=turns)])


def test_a_text_of_any_length_is_scored_token_by_token(saved: dict[str, Path]) -> None:
    text = "".join(ALPHABET[1 + i * i % 37] for i in range(130))
    model = TransformersModel(saved["gpt2"])
    [answer, plain] = model.loglikelihood(
        [LoglikelihoodRequest("", (text, "short"), rolling=True), LoglikelihoodRequest("ab", ("c",))]
    )
    [scored, short] = answer.continuations
    assert len(scored.logprobs) == len(scored.greedy) == len(scored.tokens) == 130
    # 48 tokens after the one that begins a document, 48 after one token, and 34 after as many as fit.
    first, _ = naive(saved["gpt2"], "", text[:48])
    second, _ = naive(saved["gpt2"], text[47], text[48:96])
    third, _ = naive(saved["gpt2"], text[81:96], text[96:])
    np.testing.assert_allclose(scored.logprobs, first + second + third, atol=1e-4)
    np.testing.assert_allclose(short.logprobs, naive(saved["gpt2"], "", "short")[0], atol=1e-4)
    assert len(plain.continuations[0].logprobs) == 1
