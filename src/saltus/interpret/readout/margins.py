"""The number that direct effects and gradients take apart: a logit at the first answer token, less others.

One row a sample: the right answer's. Where every sample has a rival it is the difference of their logits,
else the right answer's logit less the mean logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from saltus.interpret.network.prompts import Prompts

if TYPE_CHECKING:
    from torch import Tensor

Contrast = Literal["logit_difference", "target_logit"]


def right_rows(prompts: Prompts) -> Prompts:
    """Only the rows with the right answer, in the order of the samples: row i is sample i."""
    right = np.flatnonzero(prompts.right)
    return prompts.take(right[np.argsort(prompts.items[right], kind="stable")])


def contrast_of(prompts: Prompts) -> Contrast:
    """A difference where every right answer has a rival that begins with another token, else a logit."""
    right = prompts.right
    rivals = prompts.rivals[right]
    return (
        "logit_difference"
        if ((rivals >= 0) & (rivals != prompts.answers[right, 0])).all()
        else "target_logit"
    )


def first_places(prompts: Prompts, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Index tensors of the place, one a row, whose logits predict the answer's first token."""
    import torch

    starts = torch.from_numpy(prompts.starts[rows.cpu().numpy()]).to(rows.device)
    return torch.arange(len(starts), device=rows.device), starts


def margins(logits: Tensor, prompts: Prompts, rows: Tensor, contrast: Contrast) -> Tensor:
    """The contrast of each row.

    Args:
        logits: Rows x vocabulary, at `first_places`.
        prompts: What was asked.
        rows: Which rows of the prompts they are.
        contrast: As `contrast_of` says.
    """
    targets, rivals = _tokens(prompts, rows)
    own = logits.gather(-1, targets[:, None])[:, 0]
    if contrast == "logit_difference":
        return own - logits.gather(-1, rivals[:, None])[:, 0]
    return own - logits.mean(-1)


def directions(weights: Tensor, prompts: Prompts, rows: Tensor, contrast: Contrast) -> Tensor:
    """What the output layer reads for each row's contrast.

    Args:
        weights: Of the output layer, width x vocabulary; or its bias as 1 x vocabulary.
        prompts: What was asked.
        rows: Which rows of the prompts.
        contrast: As `contrast_of` says.

    Returns:
        Rows x width, float32.
    """
    targets, rivals = _tokens(prompts, rows)
    own = weights[:, targets].float()
    against = (
        weights[:, rivals].float()
        if contrast == "logit_difference"
        else weights.float().mean(1, keepdim=True)
    )
    return (own - against).T


def _tokens(prompts: Prompts, rows: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    own = rows.cpu().numpy()
    targets = torch.from_numpy(prompts.answers[own, 0]).to(rows.device)
    return targets, torch.from_numpy(prompts.rivals[own]).to(rows.device).clamp(min=0)
