"""What is asked of a model and what it answers: the two requests of the `Model` protocol."""

from __future__ import annotations

import msgspec


class ToolCall(msgspec.Struct, frozen=True):
    """One call that a model wants made.

    Attributes:
        name: Of the tool.
        arguments: JSON text as the model wrote it, perhaps not valid.
        id: By which the answer refers to it, as the model gave it.
    """

    name: str
    arguments: str = "{}"
    id: str = ""


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation.

    Attributes:
        role: "system", "user", "assistant" or "tool".
        content: Text.
        tool_calls: Those of an assistant's turn.
        tool_call_id: Which call a tool's turn answers.
    """

    role: str
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


class GenerateRequest(msgspec.Struct, frozen=True):
    """Continue a prompt, or answer a conversation.

    Attributes:
        prompt: Text, sent as it is; empty when there are messages.
        max_tokens: Most tokens to generate.
        stop: Strings that end the answer; they are not part of it.
        temperature: 0 is greedy.
        seed: For sampling; greedy requests ignore it.
        top_p: Nucleus sampling; 1 draws from all tokens.
        messages: A conversation, put into the model's own chat template.
        tools: JSON text, a list of tools as OpenAI writes them (`{"type": "function", "function": ...}`).
        schema: JSON text, the JSON schema that the answer must follow, where the model can be held to one.
    """

    prompt: str
    max_tokens: int = 64
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    top_p: float = 1.0
    messages: tuple[Message, ...] = ()
    tools: str = ""
    schema: str = ""


class Generation(msgspec.Struct, frozen=True):
    """An answer to a `GenerateRequest`.

    Attributes:
        text: What was generated, without the stop string.
        logprobs: Log-probability of each generated token, nats, those of a stop string included.
        finish: Why it ended: "stop", "length", "tool_calls" or "content_filter".
        prompt_tokens: Tokens of the prompt as it was used.
        completion_tokens: Tokens generated.
        truncated: Tokens that were cut from the left of the prompt to fit the model's context.
        tokens: Token ids of the text, empty where the model does not say them.
        tool_calls: Tools that the model wants called.
        first_token: Seconds until the first token came, 0 when that was not seen.
    """

    text: str
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    truncated: int = 0
    tokens: tuple[int, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    first_token: float = 0.0


class LoglikelihoodRequest(msgspec.Struct, frozen=True):
    """Score one or more continuations of one context; the context is computed once.

    Attributes:
        context: What stands before.
        continuations: What is scored, each on its own.
        rolling: Score one text that may be longer than the model's context, in windows, each of which gives
            what it can of the context before it; the context must be empty.
    """

    context: str
    continuations: tuple[str, ...]
    rolling: bool = False


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
