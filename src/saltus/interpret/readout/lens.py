"""What a model would answer if it stopped after each block: the logit lens and the tuned lens.

The logit lens (nostalgebraist 2020) puts the residual stream through the last norm and the output layer. The
tuned lens (Belrose et al. 2023, arXiv:2303.08112) first puts it through an affine map learnt for that layer.
Only the places that predict answer tokens are looked at, so that long prompts cost no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.network.scoring import answer_places, mean_interval
from saltus.interpret.readout.choice import halves
from saltus.interpret.readout.margins import right_rows
from saltus.interpret.readout.translators import Translators, residual_sites, train_translators
from saltus.records.explanations import Component, Effect
from saltus.records.findings import Interval

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Method = Literal["logit_lens", "tuned_lens"]
Metric = Literal["target_logprob", "first_correct", "entropy", "divergence"]
METRICS: tuple[Metric, ...] = ("target_logprob", "first_correct", "entropy", "divergence")
_BATCH_TOKENS = 16_384
_LOGITS = 2**24  # most logits held at once


class Lens(msgspec.Struct, frozen=True, kw_only=True):
    """What each residual stream says of the answer, samples x places of reading.

    Attributes:
        method: "logit_lens" or "tuned_lens".
        components: Where it reads: the embedding (before block 0), then the layers (after each block); the
            last one is the model's own output.
        target_logprob: Mean log-probability of a token of the right answer, nats.
        first_correct: 1 where the answer's first token is the likeliest.
        entropy: Of the distribution, mean over the answer's tokens, nats.
        divergence: Kullback-Leibler divergence of the distribution from the model's own, mean over the
            answer's tokens, nats.
        samples: Ids.
        clusters: What samples belong together.
        translators: Those of a tuned lens, one a fold; their held-out divergences tell how good it is.
    """

    method: Method
    components: tuple[Component, ...]
    target_logprob: Floats
    first_correct: Floats
    entropy: Floats
    divergence: Floats
    samples: tuple[str, ...]
    clusters: tuple[str, ...] | None
    translators: tuple[Translators, ...] = ()

    def interval(self, metric: Metric, place: int, level: float = 0.9) -> Interval:
        """Mean over samples of one of `METRICS` at one place of reading.

        Args:
            metric: Which.
            place: Index into `components`.
            level: Of the interval.
        """
        values: Floats = getattr(self, metric)[:, place]
        if metric == "first_correct":
            return mean_interval(values, self.clusters, level)
        return mean_interval(values, list(self.clusters or self.samples), level)


def logit_lens(model: HookedModel, prompts: Prompts, *, batch_tokens: int = _BATCH_TOKENS) -> Lens:
    """Read the answer off every residual stream.

    Args:
        model: The model.
        prompts: What it is asked; of multiple choice the rows with the right answer.
        batch_tokens: Most tokens of a batch.
    """
    own = right_rows(prompts)
    return _lens("logit_lens", model, own, _read(model, own, lambda place, x, rows: x, batch_tokens))


def tuned_lens(
    model: HookedModel,
    prompts: Prompts,
    *,
    text: Prompts | None = None,
    seed: int = 0,
    steps: int = 300,
    batch_tokens: int = _BATCH_TOKENS,
) -> Lens:
    """Read the answer off every residual stream through translators that were trained here.

    Without other text, two sets of translators are trained, each on one half of the samples (whole clusters),
    and each reads the half it has not seen. So no sample is read by a lens that was fitted to it.

    Args:
        model: The model; its weights are not changed.
        prompts: What it is asked.
        text: Train on the tokens of these prompts instead (they should not hold those of `prompts`).
        seed: Of the order of training.
        steps: Of training, each on 256 tokens.
        batch_tokens: Most tokens of a batch.
    """
    own = right_rows(prompts)
    held_out = halves(own)
    if text is not None or len(own) < 2 or held_out.all() or not held_out.any():
        folds = [(text or own, np.ones(len(own), bool))]
    else:
        folds = [(own.take(np.flatnonzero(~mask)), mask) for mask in (held_out, ~held_out)]
    trained = tuple(train_translators(model, given, seed=seed, steps=steps) for given, _ in folds)
    fold_of = np.zeros(len(own), np.int64)
    for fold, (_, mask) in enumerate(folds):
        fold_of[mask] = fold

    def translate(place: int, x: Tensor, rows: NDArray[np.int64]) -> Tensor:
        out = x.clone()
        for fold, translators in enumerate(trained):
            mine = fold_of[rows] == fold
            if mine.any():
                out[mine] = translators.apply(place, x[mine])
        return out

    found = _lens("tuned_lens", model, own, _read(model, own, translate, batch_tokens))
    return msgspec.structs.replace(found, translators=trained)


def lens_effects(
    model: HookedModel,
    prompts: Prompts,
    *,
    run: str,
    model_id: str,
    tuned: bool = True,
    text: Prompts | None = None,
    seed: int = 0,
) -> list[Effect]:
    """Both lenses as rows of the evidence store: every metric at every place, the model's own as baseline.

    The `detail` of a tuned lens tells the held-out divergence of both lenses over all tokens at that place.

    Args:
        model: The model.
        prompts: What it is asked.
        run: The explanation they belong to.
        model_id: Id of the checkpoint.
        tuned: Also the tuned lens.
        text: What it is trained on; the prompts themselves, crosswise, when None.
        seed: Of its training.
    """
    lenses = [logit_lens(model, prompts)]
    if tuned:
        lenses.append(tuned_lens(model, prompts, text=text, seed=seed))
    rows = []
    for lens in lenses:
        for place, component in enumerate(lens.components):
            for metric in METRICS:
                known = lens.interval(metric, place)
                rows.append(
                    Effect(
                        run=run,
                        model=model_id,
                        task=prompts.task,
                        component=str(component),
                        method=lens.method,
                        metric=metric,
                        effect=known.value,
                        low=known.low,
                        high=known.high,
                        level=known.level,
                        baseline=float(getattr(lens, metric)[:, -1].mean()),
                        n=len(lens.samples),
                        detail=_detail(lens, place),
                    )
                )
    return rows


def _detail(lens: Lens, place: int) -> str:
    folds = [one for one in lens.translators if place < len(one.tuned)]
    if not folds:
        return ""
    detail = {
        "held_out_logit": float(np.mean([one.logit[place] for one in folds])),
        "held_out_tuned": float(np.mean([one.tuned[place] for one in folds])),
        "held_out_tokens": sum(one.tokens for one in folds),
    }
    return msgspec.json.encode(detail).decode()


def _lens(method: Method, model: HookedModel, prompts: Prompts, table: dict[Metric, Floats]) -> Lens:
    layers = (Component(i, part="layer") for i in range(model.anatomy.layers))
    return Lens(
        method=method,
        components=(Component(-1, part="embedding"), *layers),
        samples=prompts.samples,
        clusters=prompts.clusters,
        target_logprob=table["target_logprob"],
        first_correct=table["first_correct"],
        entropy=table["entropy"],
        divergence=table["divergence"],
    )


def _read(
    model: HookedModel,
    prompts: Prompts,
    translate: Callable[[int, Tensor, NDArray[np.int64]], Tensor],
    batch_tokens: int,
) -> dict[Metric, Floats]:
    import torch

    sites = residual_sites(model)
    table: dict[Metric, Floats] = {metric: np.full((len(prompts), len(sites)), np.nan) for metric in METRICS}
    with torch.inference_mode():
        for batch in prompts.batches(model.device, batch_tokens):
            streams, answers = _streams(model, prompts, batch, sites)
            rows = batch.rows.cpu().numpy()
            for part in _parts(answers.shape, model.unembedding.shape[1]):
                own = model.unembed(streams[sites[-1]][part]).log_softmax(-1)
                for place, site in enumerate(sites):
                    here = translate(place, streams[site][part], rows[part]) if site != sites[-1] else None
                    given = own if here is None else model.unembed(here).log_softmax(-1)
                    for metric, value in _judge(given, own, answers[part]).items():
                        table[metric][rows[part], place] = value.double().cpu().numpy()
    return table


def _streams(
    model: HookedModel, prompts: Prompts, batch: Batch, sites: Sequence[Site]
) -> tuple[dict[Site, Tensor], Tensor]:
    at, answers = answer_places(prompts, batch.rows)
    return model.run(batch, read=dict.fromkeys(sites, lambda x: x[at]), logits=False).values, answers


def _parts(shape: Sequence[int], vocabulary: int) -> Iterator[slice]:
    """Rows in slices whose logits are few enough."""
    step = max(1, _LOGITS // (shape[1] * vocabulary))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _judge(given: Tensor, own: Tensor, answers: Tensor) -> dict[Metric, Tensor]:
    """One number a row; all but the first are means over the answer's tokens."""
    real = answers >= 0
    count = real.sum(1)

    def mean(values: Tensor) -> Tensor:
        return (values * real).sum(1) / count

    return {
        "target_logprob": mean(given.gather(-1, answers.clamp(min=0)[..., None])[..., 0]),
        "first_correct": (given[:, 0].argmax(-1) == answers[:, 0]).float(),
        "entropy": mean(-(given.exp() * given).sum(-1)),
        "divergence": mean((own.exp() * (own - given)).sum(-1)),
    }
