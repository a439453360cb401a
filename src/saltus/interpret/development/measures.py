"""What `follow` follows along checkpoints: heads' attention, and the ability beside it.

Each function here makes a measure: a function from a model to readings by name. Any other will do as well.
"""

from __future__ import annotations

import msgspec

from saltus.interpret.attention.heads import head_scores
from saltus.interpret.attention.probes import Probes
from saltus.interpret.development.tracks import Measure, Reading
from saltus.interpret.network.hooked import HookedModel
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import mean_interval, score_prompts
from saltus.interpret.readout.lens import logit_lens
from saltus.records import INTERNALS
from saltus.records.explanations import Component


def head_measure(probes: Probes, prompts: Prompts | None = None) -> Measure:
    """All scores of `head_scores`: of the strongest head by the score's name, of each by "induction:L1H0".

    Args:
        probes: Made for the vocabulary and context of the models.
        prompts: Of a task that marks the sources of its answers, for the score "source".
    """

    def measure(model: HookedModel) -> dict[str, Reading]:
        found = head_scores(model, probes, prompts)
        heads = model.components("head")
        readings: dict[str, Reading] = {}
        for name, score in found.scores.items():
            for head in heads:
                share = score.of(head)
                readings[f"{name}:{head}"] = Reading(
                    value=share.value,
                    low=share.low,
                    high=share.high,
                    level=share.level,
                    baseline=score.baseline,
                    n=score.n,
                    component=str(head),
                    method=name,
                    task=found.task if name == "source" else INTERNALS,
                )
            readings[name] = _strongest({h: readings[f"{name}:{h}"] for h in map(str, heads)}, heads)
        return readings

    return measure


def score_measure(prompts: Prompts, chance: float | None = None) -> Measure:
    """The ability itself, measured beside its parts: the share of prompts with the right answer.

    Args:
        prompts: Of the task.
        chance: Of guessing.
    """

    def measure(model: HookedModel) -> dict[str, Reading]:
        found = score_prompts(model, prompts)
        share = mean_interval(found.correct, prompts.clusters)
        reading = Reading(
            value=share.value,
            low=share.low,
            high=share.high,
            baseline=chance,
            n=len(prompts.samples),
            metric=prompts.metric,
            task=prompts.task,
        )
        return {f"{prompts.task} {prompts.metric}": reading}

    return measure


def layer_measure(prompts: Prompts) -> Measure:
    """How often the answer's first token is already the likeliest after each layer, by the logit lens.

    Args:
        prompts: Of the task.
    """

    def measure(model: HookedModel) -> dict[str, Reading]:
        found = logit_lens(model, prompts)
        readings = {}
        for place, component in enumerate(found.components):
            share = found.interval("first_correct", place)
            readings[f"logit_lens:{component}"] = Reading(
                value=share.value,
                low=share.low,
                high=share.high,
                level=share.level,
                n=found.first_correct.shape[0],
                component=str(component),
                method="logit_lens",
                metric="first_correct",
                task=prompts.task,
            )
        return readings

    return measure


def _strongest(readings: dict[str, Reading], heads: tuple[Component, ...]) -> Reading:
    largest = max(readings.values(), key=lambda reading: reading.value)
    return msgspec.structs.replace(largest, of=len(heads))
