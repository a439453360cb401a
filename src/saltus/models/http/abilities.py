"""What is known of a server: which APIs it has, how it scores text, and which optional fields it refuses."""

from __future__ import annotations

from saltus.models.http.options import Options, Scoring
from saltus.models.http.problems import RejectedError

# An optional part of a request, and the words by which a server's refusal names it.
_WORDS = {
    "logprobs": ("logprob",),
    "schema": ("response_format", "json_schema", "structured output", "guided", "grammar"),
    "seed": ("seed",),
    "stream_options": ("stream_options",),
    "max_tokens": ("max_completion_tokens",),  # refused: the newer name is used instead
    "stop": (),  # too common a word; only where the refusal's `param` says it
}
# What is left out, once, when a refusal names nothing: the parts that servers most often lack.
_LEFT_OUT_ON_A_GUESS = frozenset({"logprobs", "schema", "stream_options"})
_SPEAKS_OF_FIELDS = frozenset({400, 422})


class Abilities:
    """Learned on the way and remembered for as long as the model lives.

    Args:
        options: What the user says of the server.

    Attributes:
        completions: Whether text can be continued without a chat template; None until known.
        scoring: "echo", "prompt_logprobs" or "none"; "auto" until known.
        batches: Whether several texts can be scored in one request.
        refused: Optional parts of requests that the server does not take.
    """

    def __init__(self, options: Options) -> None:
        self.completions: bool | None = {"auto": None, "chat": False, "completions": True}[options.api]
        self.scoring: Scoring = "none" if options.api == "chat" else options.scoring
        self.batches = False
        self.refused: frozenset[str] = frozenset()
        self._proven: set[str] = set()
        self._may_guess = True

    def proved(self, used: frozenset[str]) -> None:
        """A request with these optional parts was answered."""
        if not self._proven.issuperset(used):
            self._proven |= used

    def refuse(self, parts: frozenset[str]) -> None:
        """Send these no more."""
        self.refused |= parts

    def blamed(self, rejected: RejectedError, used: frozenset[str]) -> frozenset[str]:
        """Which optional parts a refusal is about: those it names; where it names none, once, a guess.

        A part that worked before is not to blame: then the refusal is about what this one request says.
        """
        suspects = used - self._proven - self.refused
        if rejected.status not in _SPEAKS_OF_FIELDS or not suspects:
            return frozenset()
        said = f"{rejected.said} {rejected.field}".lower()
        named = {part for part in suspects if any(word in said for word in _WORDS[part])}
        named |= suspects & {rejected.field}
        if not named and self._may_guess:
            self._may_guess = False
            return suspects & _LEFT_OUT_ON_A_GUESS
        return frozenset(named)
