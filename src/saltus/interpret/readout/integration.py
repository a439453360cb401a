"""The mean gradient of a margin on the line between two activations, and how far it misses completeness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch, Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.interpret.readout.margins import Contrast, contrast_of, first_places, margins, right_rows
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Baseline = Literal["twin", "mean", "zero"]
BASELINES: tuple[Baseline, ...] = ("twin", "mean", "zero")


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a margin is owed to.

    Attributes:
        contrast: Which margin.
        baseline: What the activations are held against.
        values: Samples x places (of input tokens; 0 on padding) or samples x neurons (summed over places).
        change: Margin less that with the baseline in place of the activations, samples.
        error: Completeness error, |sum of a sample's values - its change|.
        steps: Gradients that were averaged, samples.
        converged: Where the error is within the tolerance.
        samples: Ids.
        clusters: What samples belong together.
    """

    contrast: Contrast
    baseline: Baseline
    values: Floats
    change: Floats
    error: Floats
    steps: NDArray[np.int64]
    converged: NDArray[np.bool_]
    samples: tuple[str, ...]
    clusters: tuple[str, ...] | None


class Precision(msgspec.Struct, frozen=True):
    """How long to go on.

    Attributes:
        first: Steps to begin with; doubled while a sample's error is too large.
        most: Steps to end with.
        tolerance: Completeness error that is small enough, as a share of the change (of 1 where the change
            is smaller).
    """

    first: int = 16
    most: int = 256
    tolerance: float = 0.01


def default_baseline(prompts: Prompts) -> Baseline:
    """The corrupted twin where there is one, else the mean."""
    return "mean" if prompts.twins is None else "twin"


class Line(NamedTuple):
    """Straight lines in one activation, a sample each, from the baseline to what it is.

    Attributes:
        model: The model.
        prompts: Rows with the right answer only.
        contrast: Which margin.
        site: The activation.
        baseline: Where the lines begin.
        batch_tokens: Most tokens of a batch.
    """

    model: HookedModel
    prompts: Prompts
    contrast: Contrast
    site: Site
    baseline: Baseline
    batch_tokens: int

    @classmethod
    def of(
        cls, model: HookedModel, prompts: Prompts, site: Site, baseline: Baseline | None, batch_tokens: int
    ) -> Line:
        """Fill in what follows from the prompts.

        Raises:
            UsageError: There is no such baseline.
        """
        own = right_rows(prompts)
        named = baseline or default_baseline(own)
        if named not in BASELINES:
            raise UsageError(
                f"{named!r} is no baseline; choose one of {', '.join(BASELINES)}", field="baseline"
            )
        return cls(model, own, contrast_of(own), site, named, batch_tokens)

    def read(self, batch: Batch) -> Tensor:
        """The activation on a batch."""
        found: Tensor = self.model.run(batch, read=[self.site], logits=False).values[self.site]
        return found.clone()  # which may take part in gradients

    def pairs(self) -> Iterator[tuple[Batch, Tensor, Tensor]]:
        """Batches with the activation as it is and with its baseline."""
        import torch

        device, tokens = self.model.device, self.batch_tokens
        batches = self.prompts.batches(device, tokens)
        if self.baseline == "twin":
            others = self.prompts.batches(device, tokens, twins=True)
            for batch, other in zip(batches, others, strict=True):
                yield batch, self.read(batch), self.read(other)
            return
        mean = self._mean() if self.baseline == "mean" else torch.zeros(1, device=device)
        for batch in batches:
            actual = self.read(batch)
            yield batch, actual, mean.to(actual.dtype).expand_as(actual)

    def _mean(self) -> Tensor:
        """Over all real tokens of the prompts."""
        import torch

        total: Tensor | float = 0.0
        for batch in self.prompts.batches(self.model.device, self.batch_tokens):
            real = (
                torch.arange(batch.tokens.shape[1], device=self.model.device)[None] < batch.lengths[:, None]
            )
            total = total + self.read(batch)[real].double().sum(0)
        return torch.as_tensor(total) / float(self.prompts.lengths.sum())

    def margin(self, batch: Batch, instead: Tensor | None = None, gradients: bool = False) -> Tensor:
        """Of each row, with something else in the activation's place."""
        edits = [] if instead is None else [Edit(self.site, lambda value, batch: instead)]
        at = first_places(self.prompts, batch.rows)
        logits = self.model.run(batch, edits=edits, at=at, gradients=gradients).logits
        return margins(logits, self.prompts, batch.rows, self.contrast)

    def mean_gradient(self, batch: Batch, start: Tensor, change: Tensor, steps: int) -> Tensor:
        """Gradient averaged over the line, by Gauss and Legendre's rule."""
        import torch

        nodes, weights = np.polynomial.legendre.leggauss(steps)
        total = torch.zeros_like(start)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            point = (start + float(node) * change).detach().requires_grad_()
            summed = self.margin(batch, point, gradients=True).sum()
            total += float(weight) * torch.autograd.grad(summed, point)[0]
        return total


def integrate(line: Line, precision: Precision, reduce: Callable[[Tensor], Tensor]) -> Attribution:
    """Integrate over every sample's line, with more steps for those that miss completeness.

    Args:
        line: What is integrated.
        precision: When to stop.
        reduce: From rows x length x width of the activation to rows x what is asked.

    Raises:
        InputError: The baseline is the twin and the task has none.
    """
    own = line.prompts
    many = own.tokens.shape[1] if line.site.kind == "resid_pre" else line.model.anatomy.neurons
    values, change, error = np.zeros((len(own), many)), np.zeros(len(own)), np.zeros(len(own))
    steps, converged = np.zeros(len(own), np.int64), np.zeros(len(own), bool)
    for whole, actual, start in line.pairs():
        gap = line.margin(whole) - line.margin(whole, start)
        rows = whole.rows.cpu().numpy()
        change[rows] = gap.double().cpu().numpy()
        waiting, count = np.arange(len(rows)), precision.first
        while len(waiting):
            batch = Batch(*(one[waiting] for one in whole))
            way = actual[waiting] - start[waiting]
            parts = way * line.mean_gradient(batch, start[waiting], way, count)
            mine = rows[waiting]
            found = reduce(parts.double()).cpu().numpy()
            values[mine, : found.shape[1]] = found
            error[mine] = np.abs(found.sum(1) - change[mine])
            steps[mine] = count
            converged[mine] = error[mine] <= precision.tolerance * np.maximum(np.abs(change[mine]), 1)
            waiting, count = waiting[~converged[mine]], 2 * count
            if count > precision.most:
                break
    return Attribution(
        contrast=line.contrast,
        baseline=line.baseline,
        values=values,
        change=change,
        error=error,
        steps=steps,
        converged=converged,
        samples=own.samples,
        clusters=own.clusters,
    )
