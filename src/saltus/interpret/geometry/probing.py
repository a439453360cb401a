"""What can be read off a network by linear probes, layer by layer and along training.

A probe that succeeds shows that the information is there, not that the network uses it: causal claims need
an ablation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.development.tracks import Measure, Reading
from saltus.interpret.geometry.activations import Places, ends, groups_of, read_features
from saltus.interpret.network.hooked import HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import UsageError
from saltus.records.explanations import Component, Effect
from saltus.stats.probe import Kind, ProbeScore, probe

METHOD = "probe"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe is to read off, and where.

    Attributes:
        name: In a word or two, such as "previous token".
        places: One a sample.
        labels: What is to be read off at each place.
        types: The input that a label of the control task belongs to, one a place; None for no control.
        groups: What places belong together; None where each stands alone.
    """

    name: str
    places: Places
    labels: NDArray[Any]
    types: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None


class LayerProbe(msgspec.Struct, frozen=True):
    """A probe of one site.

    Attributes:
        site: Where its features come from.
        score: Held out, with its controls.
        untrained: Accuracies of the same probe on randomly initialised networks.
    """

    site: Site
    score: ProbeScore
    untrained: tuple[float, ...] = ()


def token_target(prompts: Prompts, places: Places, *, back: int = 1, name: str = "") -> Target:
    """The token that stands `back` places before; the control task labels pairs of it and the token itself.

    Args:
        prompts: The prompts.
        places: Where to probe.
        back: How far before; 0 is the token itself.
        name: What to call it.

    Raises:
        UsageError: A place has no token so far before it.
    """
    if (places.at < back).any() or back < 0:
        raise UsageError(
            f"a place has no token {back} before it; give places from {max(back, 0)} on and "
            "back of at least 0",
            field="back",
        )
    labels = prompts.tokens[places.rows, places.at - back]
    pair = np.stack([labels, prompts.tokens[places.rows, places.at]], axis=1)
    types = np.unique(pair, axis=0, return_inverse=True)[1].reshape(-1)
    return Target(
        name=name or ("previous token" if back == 1 else f"token {back} back"),
        places=places,
        labels=labels,
        types=types,
        groups=groups_of(prompts, places),
    )


def answer_target(prompts: Prompts) -> Target:
    """The first token of the answer, at the last token of the prompt.

    There is no control task: each prompt is a type of its own, which no probe can memorise for another.
    """
    places = ends(prompts)
    return Target(
        name="answer",
        places=places,
        labels=prompts.answers[places.rows, 0],
        groups=groups_of(prompts, places),
    )


def probe_layers(
    model: HookedModel,
    prompts: Prompts,
    target: Target,
    *,
    sites: Sequence[Site] | None = None,
    kind: Kind = "ridge",
    untrained: Iterable[HookedModel] = (),
    seed: int = 0,
) -> tuple[LayerProbe, ...]:
    """Probe several sites of one model.

    Args:
        model: The model.
        prompts: What it reads.
        target: What to read off, and where.
        sites: The residual stream after each layer when None.
        kind: "ridge" or "logistic".
        untrained: Networks that have learned nothing (`network.checkpoints.random_models`): what a probe
            reads off those comes from the input, not from learning.
        seed: Of folds and control labels.

    Raises:
        UsageError: There are too few groups or labels for a probe.
    """
    wanted = tuple(sites or (Site("resid_post", layer) for layer in range(model.anatomy.layers)))
    scores = _scores(model, prompts, target, wanted, kind, seed)
    plain = msgspec.structs.replace(target, types=None)
    others = [_scores(one, prompts, plain, wanted, kind, seed) for one in untrained]
    return tuple(
        LayerProbe(site, scores[site], tuple(other[site].accuracy for other in others)) for site in wanted
    )


def probe_measure(
    prompts: Prompts, target: Target, *, sites: Sequence[Site] | None = None, kind: Kind = "ridge"
) -> Measure:
    """Probes for `saltus.interpret.development.follow`: accuracy of each layer, and of the best one.

    The baseline of a layer is the control task (naming the commonest label where there is none); that of the
    best layer becomes the best layer of networks that have learned nothing.

    Args:
        prompts: What the models read.
        target: What to read off, and where.
        sites: The residual stream after each layer when None; one site a layer.
        kind: "ridge" or "logistic".
    """

    def measure(model: HookedModel) -> dict[str, Reading]:
        found = [
            _reading(one, prompts) for one in probe_layers(model, prompts, target, sites=sites, kind=kind)
        ]
        best = max(found, key=lambda reading: reading.value)
        name = f"{target.name} {METHOD}"
        return {name: msgspec.structs.replace(best, of=len(found))} | {
            f"{name}:{reading.component}": reading for reading in found
        }

    return measure


def probe_effects(
    probes: Iterable[LayerProbe], prompts: Prompts, target: Target, *, run: str, model: str
) -> list[Effect]:
    """Rows for the evidence store: the held-out accuracy of each site, its baseline the control task.

    Args:
        probes: As `probe_layers` gave them.
        prompts: What the model read.
        target: What was read off.
        run: Id of the explanation.
        model: Id of the checkpoint.
    """
    return [
        Effect(
            run=run,
            model=model,
            task=prompts.task,
            component=str(Component(one.site.layer, part="layer")),
            method=METHOD,
            metric="accuracy",
            effect=one.score.accuracy,
            low=one.score.low,
            high=one.score.high,
            level=one.score.level,
            baseline=_baseline(one.score),
            n=one.score.n,
            detail=_detail(one, target),
        )
        for one in probes
    ]


def _scores(
    model: HookedModel, prompts: Prompts, target: Target, sites: Sequence[Site], kind: Kind, seed: int
) -> dict[Site, ProbeScore]:
    features = read_features(model, prompts, sites, target.places)
    try:
        return {
            site: probe(
                features[site],
                target.labels,
                types=target.types,
                groups=target.groups,
                kind=kind,
                seed=seed,
            )
            for site in sites
        }
    except ValueError as error:
        raise UsageError(f"{target.name} of task {prompts.task}: {error}", field="target") from error


def _reading(one: LayerProbe, prompts: Prompts) -> Reading:
    score = one.score
    return Reading(
        value=score.accuracy,
        low=score.low,
        high=score.high,
        level=score.level,
        baseline=_baseline(score),
        n=score.n,
        component=str(Component(one.site.layer, part="layer")),
        method=METHOD,
        metric="accuracy",
        task=prompts.task,
    )


def _baseline(score: ProbeScore) -> float:
    return score.majority if score.control is None else score.control


def _detail(one: LayerProbe, target: Target) -> str:
    score = one.score
    said = {
        "target": target.name,
        "site": one.site.kind,
        "majority": score.majority,
        "selectivity": score.selectivity,
        "selectivity_low": score.selectivity_low,
        "selectivity_high": score.selectivity_high,
        "untrained": list(one.untrained),
        "penalty": score.penalty,
        "classes": score.classes,
        "groups": score.groups,
    }
    return msgspec.json.encode(said).decode()
