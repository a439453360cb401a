"""The rows of the evidence lake, one struct a table: models, runs, samples, responses, scores, aggregates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from saltus.records.requests import ToolCall


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one point of its life: a size, a checkpoint or a release.

    Attributes:
        name: Name without the revision, e.g. "EleutherAI/pythia-70m" or "tiro-2x64".
        family: Models that were made by one recipe, e.g. "pythia".
        revision: Checkpoint or commit, e.g. "step3000"; empty when there is one only.
        params: Parameters, a plain count.
        tokens: Training tokens seen.
        flops: Training compute in FLOPs.
        step: Optimiser step of a checkpoint.
        loss: Training or validation loss in nats a token.
        released: Release date, ISO 8601 (YYYY-MM-DD).
        layers: Transformer blocks (depth).
        width: Hidden size.
        heads: Attention heads.
        seed: Seed of the training run.
        role: "" for a member of the series, "control" for one that is there to test an explanation.
        parent: Id of the model it was made from.
        source: Where these facts were taken from.
        location: How to load it: a directory, "hf:NAME@REVISION", a URL; empty for imported results.
    """

    name: str
    family: str = ""
    revision: str = ""
    params: float | None = None
    tokens: float | None = None
    flops: float | None = None
    step: float | None = None
    loss: float | None = None
    released: str | None = None
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    seed: int | None = None
    role: str = ""
    parent: str | None = None
    source: str = ""
    location: str = ""

    @property
    def id(self) -> str:
        """Name and revision as one word, unique in a store."""
        return f"{self.name}@{self.revision}" if self.revision else self.name


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One act of measuring: an evaluation by Saltus, or one imported file."""

    id: str
    kind: str  # "run" or "import"
    source: str  # suite name, or the imported path
    format: str  # "saltus", "lm-eval-0.3", "lm-eval", "csv", ...
    content: str = ""  # content hash of what was run or imported
    rows: int = 0
    config: str = "{}"  # JSON: options, versions, seeds
    version: str = ""  # of Saltus
    created: float = 0.0  # seconds since the epoch


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a task.

    Attributes:
        task: Name of the task.
        task_version: Content hash of the task's definition.
        id: Unique in the task, stable over runs.
        input: The prompt as the model sees it.
        target: The right answer; for multiple choice the text of the right choice.
        choices: All choices, empty unless multiple choice.
        answer: Index of the right choice, -1 unless multiple choice.
        chance: Probability that guessing scores, 0 to 1; None when unknown.
        slices: Tags such as intent, difficulty, language.
        extra: What else belongs to the item, in words that JSON knows: `system`, `turns`, `tools`, `schema`,
            `calls`, `constraints`, `tests`, `documents`, `evidence`, `references`, ...; see docs/tasks.md.
    """

    task: str
    task_version: str
    id: str
    input: str
    target: str
    choices: tuple[str, ...] = ()
    answer: int = -1
    chance: float | None = None
    slices: Mapping[str, str] = msgspec.field(default_factory=dict)
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What one model said to one sample.

    Attributes:
        output: Generated text; for multiple choice the text of the likeliest choice.
        output_tokens: Token ids of a generated output, empty where the model does not say them.
        target_tokens: Token ids of the target, likewise.
        logprobs: Log-probability of each target token, nats.
        greedy: Whether each target token was the likeliest one at its place.
        choice_logprobs: Summed log-probability of each choice, nats.
        usage: Prompt tokens, completion tokens.
        latency: Seconds, shared evenly within a batch.
        error: Empty, or one sentence.
        prompt: What was asked, where it is not the sample's own input (a variant).
        changes: JSON, empty when there are none: what else of the sample a variant changed (`target`,
            `choices`, `answer`, `extra`).
        output_logprobs: Log-probability of each generated token, nats; empty where the model does not say.
        tool_calls: Tools that the model wanted called.
        turns: What the model said in earlier turns of a conversation; `output` is the last.
        first_token: Seconds until the first token came, 0 when that was not seen.
        cost: In the currency of the model's price, 0 when it has none.
    """

    run: str
    model: str
    task: str
    sample: str
    variant: str = ""
    epoch: int = 0
    output: str = ""
    output_tokens: tuple[int, ...] = ()
    target_tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    greedy: tuple[bool, ...] = ()
    choice_logprobs: tuple[float, ...] = ()
    finish: str = ""
    usage: tuple[int, int] = (0, 0)
    latency: float = 0.0
    error: str = ""
    prompt: str = ""
    changes: str = ""
    output_logprobs: tuple[float, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    turns: tuple[str, ...] = ()
    first_token: float = 0.0
    cost: float = 0.0


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one response."""

    run: str
    model: str
    task: str
    sample: str
    metric: str
    value: float
    variant: str = ""
    epoch: int = 0


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean that another harness reported without its samples.

    Attributes:
        stderr: Standard error of the value, None when not reported.
        n: Samples behind the value, None when unknown.
        chance: Score of guessing, None when unknown.
        shots: Few-shot examples in the prompt.
        seed: Seed or repeat that the source reported.
    """

    run: str
    model: str
    task: str
    metric: str
    value: float
    stderr: float | None = None
    n: float | None = None
    chance: float | None = None
    variant: str = ""
    shots: int | None = None
    seed: int | None = None
