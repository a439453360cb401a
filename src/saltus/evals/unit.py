"""One sample asked of one model: which requests it needs, and how answers become a response."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from saltus.evals.asking import Answered, Question
from saltus.evals.letters import LETTERED, by_letter, letter_prompt
from saltus.evals.plan import Asked, Plan
from saltus.models.protocol import Model
from saltus.records.evidence import Response, Sample
from saltus.records.requests import GenerateRequest, Generation, Loglikelihood, LoglikelihoodRequest, Message
from saltus.tasks.metrics import Metric
from saltus.tasks.variants.answers import CUE_KEY

_GENERATE, _SCORE = 0, 1
_LETTER_TOKENS = 16
_WORKING_TOKENS = 512
_EMPTY: Answered[Any] = Answered(None)


class Manner(msgspec.Struct, frozen=True):
    """How a run asks one model.

    Attributes:
        run: Id of the run.
        model: Id of the model.
        seed: Of sampled answers; each epoch adds one.
        chat: Put prompts to the model as a user's message.
        scores_text: Whether the model can give log-probabilities of text that it is handed.
        repeats: Whether asking the same again may give another answer, so that epochs are asked apart.
        prices: Of a million prompt tokens and of a million completion tokens.
    """

    run: str
    model: str
    seed: int = 0
    chat: bool = False
    scores_text: bool = True
    repeats: bool = False
    prices: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, run: str, model: Model, *, seed: int, chat: bool, scores_text: bool) -> Manner:
        """What a model says of itself decides the rest."""
        return cls(
            run=run,
            model=model.record.id,
            seed=seed,
            chat=chat,
            scores_text=scores_text,
            repeats=getattr(model, "repeats", hasattr(model, "stream")),
            prices=getattr(model, "prices", (0.0, 0.0)),
        )


class Unit:
    """A sample, in one variant and epoch, on its way to its response."""

    __slots__ = ("asked", "done", "generation", "likelihood", "manner", "open", "plan", "turns")

    def __init__(self, plan: Plan, asked: Asked, manner: Manner, done: Callable[[Unit], None]) -> None:
        self.plan = plan
        self.asked = asked
        self.manner = manner
        self.done = done
        self.generation: Answered[Generation] = _EMPTY
        self.likelihood: Answered[Loglikelihood] = _EMPTY
        self.turns: list[Generation] = []
        self.open = 0

    def questions(self) -> Iterator[Question]:
        """The requests to begin with."""
        questions = []
        sample = self.asked.sample
        repeat = self.asked.epoch if self.manner.repeats else 0
        by_letters = self.plan.task.kind == "multiple_choice" and not self.manner.scores_text
        if self.plan.generates or by_letters:
            questions.append(Question(self._generate_request(()), (self, _GENERATE), repeat))
        if self.plan.scores_text and self.manner.scores_text and has_target(sample):
            questions.append(Question(self._loglikelihood_request(), (self, _SCORE), repeat))
        self.open = len(questions)
        if not questions:
            self.generation = Answered(None, _cannot_score(self.plan, self.manner))
            self.done(self)
        return iter(questions)

    def take(self, kind: int, answered: Answered[Any]) -> Question | None:
        """Take an answer; a conversation that goes on gives the next request."""
        if kind == _SCORE:
            self.likelihood = answered
        else:
            further = self.asked.sample.extra.get("turns", ())
            if answered.answer is not None and len(self.turns) < len(further):
                self.turns.append(answered.answer)
                repeat = self.asked.epoch if self.manner.repeats else 0
                return Question(self._generate_request(self.turns), (self, _GENERATE), repeat)
            self.generation = answered
        self.open -= 1
        if self.open == 0:
            self.done(self)
        return None

    def response(self) -> Response:
        """What the model said; with an error and without scores where a request failed."""
        likelihood = self.likelihood
        if self._is_without_target:
            likelihood = Answered(None, seconds=likelihood.seconds)
        response = _response(self.manner, self.asked, self.generation, likelihood)
        if self._is_without_target:
            said = " ".join(text for text in (response.error, self.likelihood.problem) if text)
            response = msgspec.structs.replace(response, error=said)
        if self.turns:
            response = msgspec.structs.replace(response, turns=tuple(turn.text for turn in self.turns))
        if not self.manner.scores_text and self.plan.task.kind == "multiple_choice":
            return msgspec.structs.replace(response, prompt=letter_prompt(self.asked.sample))
        return response

    def metrics(self) -> tuple[Metric, ...]:
        """Those metrics of the plan that can be computed for this sample."""
        metrics = self.plan.metrics
        sample = self.asked.sample
        if not self.manner.scores_text:
            metrics = by_letter(metrics) if self.plan.task.kind == "multiple_choice" else metrics
            metrics = tuple(metric for metric in metrics if "target_logprobs" not in metric.needs)
        elif not has_target(sample) or self._is_without_target:
            metrics = tuple(metric for metric in metrics if "target_logprobs" not in metric.needs)
        return tuple(metric for metric in metrics if all(key in sample.extra for key in metric.extra))

    @property
    def _is_without_target(self) -> bool:
        """Whether the model wrote an answer and cannot score the target, which is too long for it."""
        return self.likelihood.impossible and self.generation.answer is not None

    def _generate_request(self, said: Sequence[Generation]) -> GenerateRequest:
        task, sample = self.plan.task, self.asked.sample
        seed = self.manner.seed + self.asked.epoch if task.temperature else 0
        extra = sample.extra
        prompt = sample.input
        if task.kind == "multiple_choice":
            prompt = letter_prompt(sample)
        stop, most = task.stop, task.max_tokens
        if task.kind == "multiple_choice":
            most = _LETTER_TOKENS
        elif CUE_KEY in extra:  # the working comes first, over several lines
            stop, most = tuple(one for one in stop if one.strip()), max(most, _WORKING_TOKENS)
        request = GenerateRequest(
            prompt,
            max_tokens=most,
            stop=stop,
            temperature=task.temperature,
            seed=seed,
            top_p=task.top_p,
        )
        if extra or self.manner.chat:
            fields: dict[str, Any] = {key: _json(extra[key]) for key in ("tools", "schema") if extra.get(key)}
            if self.manner.chat or is_conversation(sample):
                fields |= {"prompt": "", "messages": _messages(prompt, extra, said)}
            return msgspec.structs.replace(request, **fields) if fields else request
        return request

    def _loglikelihood_request(self) -> LoglikelihoodRequest:
        sample = self.asked.sample
        if self.plan.task.kind == "perplexity":
            return LoglikelihoodRequest("", (sample.target,), rolling=True)
        return LoglikelihoodRequest(sample.input, sample.choices or (sample.target,))


def is_conversation(sample: Sample) -> bool:
    """Whether a sample can only be put as messages."""
    extra = sample.extra
    return bool(extra) and any(extra.get(key) for key in ("system", "turns", "tools"))


def has_target(sample: Sample) -> bool:
    """Whether the target is what comes right after the input, so that its log-probability says something."""
    return not is_conversation(sample) and CUE_KEY not in sample.extra


def what_is_missing(response: Response, metrics: Sequence[Metric]) -> str:
    """Why a response cannot be scored; empty when it can."""
    if not response.logprobs and any("target_logprobs" in metric.needs for metric in metrics):
        return "the target has no tokens, so it has no log-probability"
    for value in (*response.logprobs, *response.choice_logprobs):
        if not math.isfinite(value):
            return f"the model gave a log-probability of {value}"
    return ""


def not_asked(plan: Plan, manner: Manner) -> str:
    """What of a plan such a model cannot be asked; empty when there is nothing."""
    if manner.scores_text:
        return ""
    without = [metric.name for metric in plan.metrics if not set(metric.needs) <= {"output"}]
    letters = plan.task.kind == "multiple_choice"
    if letters:
        without = [name for name in without if name not in LETTERED]
    if not without and not letters:
        return ""
    how = ["asked by letter"] * letters + [f"without {', '.join(without)}"] * bool(without)
    said = f"is {', '.join(how)}" if letters else f"is scored {how[0]}"
    return f"{manner.model} gives no log-probabilities of text, so task {plan.task.name} {said}"


def _messages(prompt: str, extra: Any, said: Sequence[Generation]) -> tuple[Message, ...]:
    messages = [Message("system", extra["system"])] if extra.get("system") else []
    messages.append(Message("user", prompt))
    for answer, turn in zip(said, extra.get("turns", ()), strict=False):
        messages.append(Message("assistant", answer.text, answer.tool_calls))
        messages.append(Message("user", turn))
    return tuple(messages)


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _cannot_score(plan: Plan, manner: Manner) -> str:
    what = "text" if plan.task.kind != "generation" else "the target"
    return (
        f"{manner.model} gives no log-probabilities of {what}, which every metric of task {plan.task.name} "
        "needs; ask a server that echoes log-probabilities, or a local model"
    )


def _response(
    manner: Manner,
    asked: Asked,
    generation: Answered[Generation],
    likelihood: Answered[Loglikelihood],
) -> Response:
    sample = asked.sample
    fields: dict[str, Any] = {}
    problems = [one.problem for one in (likelihood, generation) if one.problem]
    cut = 0
    if (scored := likelihood.answer) is not None:
        cut = scored.truncated
        target = scored.continuations[sample.answer if sample.choices else 0]
        tokens = sum(len(one.logprobs) for one in scored.continuations)
        fields.update(
            logprobs=target.logprobs,
            greedy=target.greedy,
            target_tokens=target.tokens,
            usage=(scored.prompt_tokens, tokens),
        )
        if sample.choices:
            totals = tuple(one.total for one in scored.continuations)
            fields.update(choice_logprobs=totals, output=sample.choices[totals.index(max(totals))])
    if (written := generation.answer) is not None:
        cut = max(cut, written.truncated)
        fields.update(
            output=written.text,
            output_tokens=written.tokens,
            output_logprobs=written.logprobs,
            finish=written.finish,
            usage=(written.prompt_tokens, written.completion_tokens),
            tool_calls=written.tool_calls,
            first_token=written.first_token,
        )
    failed = "; ".join(dict.fromkeys(problems))
    if failed:
        fields["finish"] = "error"
    elif cut:
        failed = f"The prompt was cut by {cut} tokens on the left to fit the model's context."
    usage = fields.get("usage", (0, 0))
    return Response(
        run=manner.run,
        model=manner.model,
        task=sample.task,
        sample=sample.id,
        variant=asked.variant,
        epoch=asked.epoch,
        latency=generation.seconds + likelihood.seconds,
        error=failed,
        prompt=asked.prompt,
        changes=asked.changes,
        cost=(usage[0] * manner.prices[0] + usage[1] * manner.prices[1]) / 1e6,
        **fields,
    )
