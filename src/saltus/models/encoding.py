"""Text to tokens and back for a local model: special tokens, pairs that belong together, stop strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from saltus.records.errors import InputError, ModelError
from saltus.records.requests import Message

Ids = list[int]
_REMEMBERED = 50_000  # texts; checkpoints of one series are asked the same ones


class Encoder:
    """The tokenizer of a model, without padding, truncation or anything appended.

    Args:
        tokenizer: A transformers tokenizer.
        end: Ids that end a text according to the model's configuration.
    """

    def __init__(self, tokenizer: Any, end: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Ids] = {}
        self._finals: dict[str, np.ndarray[Any, np.dtype[np.bool_]] | None] = {}
        eos = tokenizer.eos_token_id
        self.end = frozenset(end) | (frozenset() if eos is None else frozenset((int(eos),)))
        self._prefix = self._special_prefix()

    def prompts(self, texts: Sequence[str]) -> list[Ids]:
        """Tokens of each prompt, with the special tokens that the tokenizer puts in front (such as BOS)."""
        return [self._started(ids, text) for ids, text in zip(self._encode(texts), texts, strict=True)]

    def pairs(
        self, contexts: Sequence[str], continuations: Sequence[Sequence[str]]
    ) -> list[tuple[Ids, list[Ids]]]:
        """Tokens of each context and of its continuations, as lm-evaluation-harness splits them.

        White space at the end of a context goes to its continuations, both are tokenised together, and the
        tokens past those of the context alone are the continuation.
        """
        texts: list[str] = []
        for context, rest in zip(contexts, continuations, strict=True):
            head, space = _without_trailing_space(context)
            texts += [head, *(head + space + one for one in rest)]
        encoded = iter(self._encode(texts))
        split = []
        for context, rest in zip(contexts, continuations, strict=True):
            bare = next(encoded)
            wholes = [next(encoded) for _ in rest]
            split.append((self._started(bare, context), [whole[len(bare) :] for whole in wholes]))
        return split

    def whole(self, text: str) -> tuple[Ids, Ids]:
        """What stands before a text that begins a document, and the text's own tokens."""
        [ids] = self._encode([text])
        return self._started([], text), ids

    def places(self, text: str, spans: Sequence[tuple[int, int]]) -> list[list[int]]:
        """Which tokens of a prompt stand for these stretches of its text.

        Args:
            text: A prompt.
            spans: Half-open ranges of characters.

        Returns:
            For each span the places of its tokens in what `prompts` and `pairs` give; white space before the
            stretch may belong to its first token.

        Raises:
            InputError: A token holds more than the stretch: the tokenizer merges it with its neighbours. Or
                the stretch lies outside the text.
        """
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        shift = len(self._started(encoded["input_ids"], text)) - len(encoded["input_ids"])
        found = []
        for start, end in spans:
            if not 0 <= start < end <= len(text):
                raise InputError(
                    f"the marked place {start} to {end} lies outside the prompt of {len(text)} characters",
                    field="source",
                )
            own = [i for i, (a, b) in enumerate(encoded["offset_mapping"]) if a < end and b > start]
            covered = [encoded["offset_mapping"][i] for i in own]
            before, after = text[covered[0][0] : start], text[end : covered[-1][1]]
            if before.strip() or after.strip():
                merged = before + text[start:end] + after
                raise InputError(
                    f"the tokenizer merges the marked {text[start:end]!r} with its neighbours into "
                    f"{merged!r}; mark the whole of that, or put spaces around it",
                    field="source",
                )
            found.append([shift + i for i in own])
        return found

    def ordinary(self, chunk: int = 4096) -> Iterator[tuple[Ids, list[str]]]:
        """Tokens that are not special with the text of each, some at a time, in the order of their ids."""
        special = set(self._tokenizer.all_special_ids)
        ids = sorted(one for one in set(self._tokenizer.get_vocab().values()) if one not in special)
        for start in range(0, len(ids), chunk):
            own = ids[start : start + chunk]
            yield (
                own,
                self._tokenizer.batch_decode([[i] for i in own], clean_up_tokenization_spaces=False),
            )

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Text of each token by itself."""
        return [self.text([one]) for one in ids]

    def chat(self, messages: Sequence[Message], tools: str = "") -> tuple[str, tuple[str, ...]]:
        """The prompt that asks for the next turn, and strings that end that turn.

        A model without a chat template gets a plain transcript, which it may go on writing for both sides.

        Raises:
            ModelError: The template refuses the conversation.
        """
        if not self._tokenizer.chat_template:
            return transcript(messages, tools), ("\nUser:",)
        given = [_as_template_reads(message) for message in messages]
        try:
            text = self._tokenizer.apply_chat_template(
                given,
                tools=msgspec.json.decode(tools) if tools else None,
                tokenize=False,
                add_generation_prompt=True,
            )
        except Exception as error:  # the template is the model's own: whatever goes wrong is the model's
            raise ModelError(f"the model's chat template refuses the conversation ({error})") from error
        return str(text), ()

    def text(self, ids: Sequence[int]) -> str:
        """Text of generated tokens, special tokens included."""
        return str(
            self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    def may_end(
        self, tokens: np.ndarray[Any, np.dtype[np.int64]], stop: str
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether each token could be the last one of a stop string, before any text is decoded."""
        if stop not in self._finals:
            self._finals[stop] = self._tokens_with(stop[-1])
        finals = self._finals[stop]
        if finals is None:
            return np.ones(len(tokens), bool)
        # The output layer may be wider than the vocabulary; what lies beyond ends nothing.
        return np.asarray(finals[np.minimum(tokens, len(finals) - 1)])

    def _tokens_with(self, character: str) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        if not character.isascii() or character == " ":
            return None  # may be spread over tokens, or be dropped where a token is decoded alone
        size = max(len(self._tokenizer), max(self._tokenizer.get_vocab().values(), default=0) + 1)
        alone = self._tokenizer.batch_decode([[i] for i in range(size)], clean_up_tokenization_spaces=False)
        return np.array([*(character in text for text in alone), False])

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
        if fresh:
            if len(self._known) + len(fresh) > _REMEMBERED:
                self._known = {
                    text: ids for text in dict.fromkeys(texts) if (ids := self._known.get(text)) is not None
                }
            encoded = self._tokenizer(
                fresh, add_special_tokens=False, padding=False, truncation=False, return_attention_mask=False
            )["input_ids"]
            self._known.update(zip(fresh, encoded, strict=True))
        return [self._known[text] for text in texts]

    def _started(self, ids: Ids, text: str) -> Ids:
        prefix = self._prefix
        if prefix and ids[: len(prefix)] == prefix:
            return ids
        if ids or prefix:
            return [*prefix, *ids]
        first = next(
            (i for i in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id) if i is not None), None
        )
        if first is None:
            raise ModelError(
                f"the prompt {text!r} has no tokens and the tokenizer has neither BOS nor EOS for it; "
                "give a prompt with text"
            )
        return [int(first)]

    def _special_prefix(self) -> Ids:
        bare = self._tokenizer("a", add_special_tokens=False)["input_ids"]
        full = self._tokenizer("a")["input_ids"]
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return list(full[:start])
        return []


def transcript(messages: Sequence[Message], tools: str = "") -> str:
    """A conversation for a model that was not made for any.

    Examples:
        >>> print(transcript([Message("user", "2 + 2?"), Message("assistant", "4"), Message("user", "+ 1?")]))
        User: 2 + 2?
        Assistant: 4
        User: + 1?
        Assistant:
    """
    lines = [f"System: The tools are {tools}"] if tools else []
    lines += [f"{message.role.capitalize()}: {message.content}" for message in messages]
    return "\n".join([*lines, "Assistant:"])


def _as_template_reads(message: Message) -> dict[str, Any]:
    given: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        given["tool_calls"] = [
            {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        given["tool_call_id"] = message.tool_call_id
    return given


def _without_trailing_space(context: str) -> tuple[str, str]:
    head = context.rstrip()
    return head, context[len(head) :]
