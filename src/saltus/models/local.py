"""Any causal language model of transformers, from a directory or the Hugging Face hub, as a `Model`.

Files are looked at when the model is made; weights are loaded when it is first asked something.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from saltus.models import checkpoint
from saltus.models.checkpoint import first_line
from saltus.models.encoding import Encoder, Ids
from saltus.models.memory import Budget
from saltus.models.network import Network, load_network, quiet, require_torch, resolve_numerics
from saltus.records.errors import InputError, ModelError, UsageError
from saltus.records.evidence import ModelRecord
from saltus.records.ids import bytes_hash, content_hash
from saltus.records.requests import (
    Continuation,
    GenerateRequest,
    Generation,
    Loglikelihood,
    LoglikelihoodRequest,
)


class TransformersModel:
    """A causal language model that runs here.

    Answers do not depend on how requests are batched. No code that comes with a model is ever run.

    Args:
        location: A directory in the Hugging Face layout, or "hf:NAME@REVISION".
        record: Who the model is; made from the location when None.
        device: "auto" takes the GPU where there is one.
        dtype: "auto" computes in float32 on a CPU and in the stored type elsewhere.
        batch_tokens: Most tokens of a batch, padding included; halved whenever memory runs out.
        threads: Threads of torch, for the whole process; None leaves them as they are.
        compile: Let torch compile the forward pass; it takes a minute and pays off on a GPU and long runs.

    Raises:
        ModelError: The files are not there or not whole.
        MissingExtraError: torch or transformers is not installed.

    Examples:
        ```python
        model = TransformersModel("hf:EleutherAI/pythia-70m@step3000")
        [answer] = model.generate([GenerateRequest("The capital of France is", max_tokens=3)])
        ```
    """

    def __init__(
        self,
        location: str | Path,
        *,
        record: ModelRecord | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_tokens: int = 16_384,
        threads: int | None = None,
        compile: bool = False,
    ) -> None:
        if batch_tokens < 1:
            raise UsageError(f"batch_tokens is {batch_tokens}, it must be 1 or more", field="batch_tokens")
        self._location = str(location)
        on_hub = self._location.startswith(checkpoint.HUB)
        self._commit = checkpoint.commit(self._location) if on_hub else ""
        name, revision = checkpoint.default_name(location)
        self._record = record or ModelRecord(name=name, revision=revision, location=str(location))
        # What is wrong with a directory is said at once; weights on the hub are fetched when needed.
        source = (
            self._location.removeprefix(checkpoint.HUB).partition("@")[0] if self._commit else self._folder
        )
        self._device, self._dtype = resolve_numerics(str(source), device, dtype, commit=self._commit)
        self._budget = Budget(batch_tokens)
        self._compile = compile
        self._broken: ModelError | None = None
        if threads is not None:
            require_torch()[0].set_num_threads(threads)

    def __repr__(self) -> str:
        return f"TransformersModel({self._record.id!r}, device={self._device!r}, dtype={self._dtype!r})"

    @property
    def record(self) -> ModelRecord:
        """Who this is: name, revision, scale."""
        return self._record

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of files and data type; on the hub the commit stands for the files."""
        if self._commit:
            return content_hash(
                {"commit": [self._location.partition("@")[0], self._commit], "numerics": self._dtype}
            )
        return checkpoint.fingerprint(self._folder, self._dtype)

    def prepare(self) -> None:
        """Fetch the files and have them read while another model is at work; nothing is loaded."""
        checkpoint.read_ahead(self._folder)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[Generation]:
        """Continue each prompt; greedy, or sampled with the request's own seed.

        A prompt that leaves no room for an answer is cut on the left; `truncated` says by how many tokens.

        Raises:
            UsageError: A temperature is negative.
            ModelError: The model cannot be loaded, or has no token that could stand for an empty prompt.
        """
        from saltus.models.decoding import complete

        for request in requests:
            _check_sampling(request)
        requests = [self._as_text(request) for request in requests]
        prompts = self._encoder.prompts([request.prompt for request in requests])
        drafts = [self._draft(request, prompt) for request, prompt in zip(requests, prompts, strict=True)]
        complete(self._network, self._encoder, drafts, budget=self._budget)
        return [draft.answer for draft in drafts]

    def loglikelihood(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """Score each context's continuations; an empty one has no tokens and the log-probability 0.

        A context that is too long is cut on the left, the same for all its continuations.

        Raises:
            InputError: A continuation alone is longer than the model's context.
            ModelError: The model cannot be loaded.
        """
        from saltus.models.scoring import score

        if any(request.rolling for request in requests):
            return self._rolling(requests)
        pairs = self._encoder.pairs([r.context for r in requests], [r.continuations for r in requests])
        fitted = [self._fitted(context, rest) for context, rest in pairs]
        scores = score(self._network, fitted, budget=self._budget)
        return [
            Loglikelihood(
                continuations=tuple(
                    Continuation(tuple(logprobs), tuple(greedy), tuple(ids))
                    for (logprobs, greedy), ids in zip(found, rest, strict=True)
                ),
                prompt_tokens=len(context),
                truncated=len(whole) - len(context),
            )
            for (whole, _), (context, rest), found in zip(pairs, fitted, scores, strict=True)
        ]

    def close(self) -> None:
        """Free the weights; the next question loads them again."""
        network = self.__dict__.pop("_network", None)
        if network is not None:
            network.close()
            if self._device.startswith("cuda"):
                require_torch()[0].cuda.empty_cache()

    @cached_property
    def _folder(self) -> Path:
        return checkpoint.locate(self._location)

    @property
    def network(self) -> Network:
        """The weights, loaded when they are first asked for; for those who look inside.

        Raises:
            ModelError: The model cannot be loaded.
        """
        return self._network

    @property
    def encoder(self) -> Encoder:
        """Text to tokens and back."""
        return self._encoder

    @cached_property
    def _network(self) -> Network:
        if self._broken is None:
            try:
                return load_network(
                    self._folder, device=self._device, dtype=self._dtype, compiled=self._compile
                )
            except ModelError as error:
                self._broken = error  # whoever asks again gets the same answer, and at once
        raise self._broken

    @cached_property
    def _encoder(self) -> Encoder:
        ends = (
            self._network.model.generation_config.eos_token_id
            if self._network.model.generation_config
            else None
        )
        if ends is None:
            ends = self._network.model.config.get_text_config().eos_token_id
        listed = () if ends is None else (ends,) if isinstance(ends, int) else tuple(ends)
        return _shared_encoder(self._folder, listed)

    def _as_text(self, request: GenerateRequest) -> GenerateRequest:
        """A conversation as the prompt that the model's chat template makes of it."""
        if not request.messages:
            return request
        text, ends = self._encoder.chat(request.messages, request.tools)
        return msgspec.structs.replace(request, prompt=text, messages=(), stop=(*request.stop, *ends))

    def _rolling(self, requests: Sequence[LoglikelihoodRequest]) -> list[Loglikelihood]:
        """Score whole texts, window by window; each token is scored once."""
        from saltus.models.scoring import score
        from saltus.models.windows import windows

        plain = [request for request in requests if not request.rolling]
        answers = iter(self.loglikelihood(plain) if plain else ())
        found = []
        for request in requests:
            if not request.rolling:
                found.append(next(answers))
                continue
            texts = []
            for text in request.continuations:
                start, ids = self._encoder.whole(text)
                pieces = windows(start, ids, self._network.context)
                scores = score(self._network, [(head, [rest]) for head, rest in pieces], budget=self._budget)
                logprobs = tuple(value for [(values, _)] in scores for value in values)
                greedy = tuple(flag for [(_, flags)] in scores for flag in flags)
                texts.append(Continuation(logprobs, greedy, tuple(ids)))
            found.append(Loglikelihood(tuple(texts), prompt_tokens=0))
        return found

    def _draft(self, request: GenerateRequest, prompt: Ids) -> Any:
        from saltus.models.decoding import Draft

        limit = self._network.context
        room = request.max_tokens
        if limit is None or len(prompt) + room - 1 <= limit:
            return Draft(request, prompt, room, 0)
        # A short answer does less harm than a prompt that lost its beginning, unless nothing would fit.
        keep = len(prompt) if len(prompt) <= limit else max(1, limit + 1 - min(room, limit // 2))
        return Draft(request, prompt[len(prompt) - keep :], min(room, limit + 1 - keep), len(prompt) - keep)

    def _fitted(self, context: Ids, rest: Sequence[Ids]) -> tuple[Ids, Sequence[Ids]]:
        limit = self._network.context
        longest = max((len(ids) for ids in rest), default=0)
        if limit is None or len(context) + longest - 1 <= limit:
            return context, rest
        if longest > limit:
            raise InputError(
                f"a continuation has {longest} tokens and {self._record.id} reads {limit} at most; cut it",
                field="continuations",
            )
        return context[len(context) - (limit + 1 - longest) :], rest


def _check_sampling(request: GenerateRequest) -> None:
    if request.temperature < 0:
        raise UsageError(f"temperature is {request.temperature}, it must be 0 or more", field="temperature")
    if not 0 < request.top_p <= 1:
        raise UsageError(f"top_p is {request.top_p}, it must be above 0 and at most 1", field="top_p")


_ENCODERS: dict[tuple[str, tuple[int, ...]], Encoder] = {}
_ENCODERS_KEPT = 4


def _shared_encoder(folder: Path, ends: tuple[int, ...]) -> Encoder:
    """One encoder for all checkpoints with the same tokenizer files: it remembers the texts it has seen."""
    files = [file for file in sorted(folder.iterdir()) if file.name in checkpoint.TOKENIZER_FILES]
    key = bytes_hash(b"".join(file.name.encode() + file.read_bytes() for file in files)), ends
    if key not in _ENCODERS:
        while len(_ENCODERS) >= _ENCODERS_KEPT:
            _ENCODERS.pop(next(iter(_ENCODERS)))
        _ENCODERS[key] = Encoder(_tokenizer(folder), ends)
    return _ENCODERS[key]


def _tokenizer(folder: Path) -> Any:
    _, transformers = require_torch()
    try:
        with quiet(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # files of others: whatever goes wrong is the model's
        raise ModelError(
            f"the tokenizer cannot be loaded ({first_line(error)}); check tokenizer.json", path=str(folder)
        ) from error
    tokenizer.model_max_length = int(1e30)  # lengths are checked here, where the answer can say so
    return tokenizer
