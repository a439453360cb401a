"""A norm with its statistics held fixed: a linear map, through which a logit is split into its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from saltus.records.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

_PROBE = 64.0  # large beside every epsilon, exact in half precision


class FrozenNorm(NamedTuple):
    """A LayerNorm or RMSNorm: out = gain * (x - mean of x, where it centres) / scale(x) + bias.

    Attributes:
        gain: Width, float32.
        bias: Width, zero where the norm has none.
        centred: Whether it subtracts the mean over the width.
    """

    gain: Tensor
    bias: Tensor
    centred: bool

    def centre(self, x: Tensor) -> Tensor:
        """Without its mean over the width, where the norm subtracts it."""
        return x - x.mean(-1, keepdim=True) if self.centred else x

    def scale(self, x: Tensor, out: Tensor) -> Tensor:
        """What the norm divided x by, from what it made of it; the last axis is gone."""
        unscaled = self.gain * self.centre(x)
        return (unscaled * unscaled).sum(-1) / (unscaled * (out - self.bias)).sum(-1)

    def back(self, direction: Tensor) -> Tensor:
        """The direction before the norm, but for the scale, that reads what `direction` reads after it."""
        return self.centre(self.gain * direction)


def freeze(norm: Any, width: int, name: str) -> FrozenNorm:
    """Measure a norm by three inputs, so that every class of norm needs no table.

    Args:
        norm: The module.
        width: Of its input.
        name: Of the model, for the error.

    Raises:
        ModelError: It is neither a LayerNorm nor an RMSNorm.
    """
    import torch

    first = next(iter(norm.parameters()), None)
    like = {} if first is None else {"dtype": first.dtype, "device": first.device}
    probe = torch.ones(width, **like)
    probe[1::2] = -1
    if width % 2:
        probe[-3:] = torch.tensor([1.0, 1.0, -2.0])
    with torch.inference_mode():
        bias = norm(torch.zeros(width, **like)).float()
        size = probe.float().square().mean().sqrt()
        gain = (norm(_PROBE * probe).float() - bias) * size / probe.float()
        constant = norm(torch.full((width,), _PROBE, **like)).float() - bias
        small = 1e-3 * float(gain.abs().max())
        centred = float(constant.abs().max()) <= small
        if not centred and float((constant - gain).abs().max()) > max(small, 0.02 * float(gain.abs().max())):
            raise ModelError(
                f"a norm of {name} ({type(norm).__name__}) is neither a LayerNorm nor an RMSNorm, so direct "
                "effects cannot be told; use ablation",
                field="architecture",
            )
    return FrozenNorm(gain.clone(), bias.clone(), centred)
