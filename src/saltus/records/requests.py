"""What is asked of a model and what it answers: the two requests of the `Model` protocol."""

from __future__ import annotations

import msgspec


class GenerateRequest(msgspec.Struct, frozen=True):
    """Continue a prompt.

    Attributes:
        prompt: Text, sent as it is.
        max_tokens: Most tokens to generate.
        stop: Strings that end the answer; they are not part of it.
        temperature: 0 is greedy.
        seed: For sampling; greedy requests ignore it.
    """

    prompt: str
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0


class Generation(msgspec.Struct, frozen=True):
    """An answer to a `GenerateRequest`.

    Attributes:
        text: What was generated, without the stop string.
        logprobs: Log-probability of each generated token, nats, those of a stop string included.
        finish: Why it ended: "stop", "length" or "error".
        prompt_tokens: Tokens of the prompt as it was used.
        completion_tokens: Tokens generated.
        truncated: Tokens that were cut from the left of the prompt to fit the model's context.
        tokens: Token ids of the text, empty where the model does not say them.
    """

    text: str
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    truncated: int = 0
    tokens: tuple[int, ...] = ()


class LoglikelihoodRequest(msgspec.Struct, frozen=True):
    """Score one or more continuations of one context; the context is computed once."""

    context: str
    continuations: tuple[str, ...]


class Continuation(msgspec.Struct, frozen=True):
    """Of each token of one continuation: log-probability (nats), whether it was the likeliest, its id."""

    logprobs: tuple[float, ...]
    greedy: tuple[bool, ...]
    tokens: tuple[int, ...] = ()

    @property
    def total(self) -> float:
        """Summed log-probability, nats."""
        return float(sum(self.logprobs))


class Loglikelihood(msgspec.Struct, frozen=True):
    """One `Continuation` for each one asked, in the order asked.

    Attributes:
        continuations: Their token log-probabilities.
        prompt_tokens: Tokens of the context as it was used.
        truncated: Tokens that were cut from the left of the context to fit the model's.
    """

    continuations: tuple[Continuation, ...]
    prompt_tokens: int = 0
    truncated: int = 0
