"""What the family is: its eight sizes and the one training recipe they share. All else reads from here."""

from __future__ import annotations

import msgspec

from saltus.records.ids import content_hash

FAMILY = "tiro"
VOCABULARY = 64
CONTEXT = 64


class Size(msgspec.Struct, frozen=True):
    """One architecture of the family.

    Attributes:
        layers: Transformer blocks.
        width: Hidden size.
        heads: Attention heads of each block.
        role: "control" for a model that tests an explanation and does not belong to the series.
    """

    layers: int
    width: int
    heads: int
    role: str = ""

    @property
    def label(self) -> str:
        """Layers x width, as in "2x64"."""
        return f"{self.layers}x{self.width}"


SIZES: tuple[Size, ...] = (
    Size(1, 8, 1),
    Size(1, 16, 1),
    Size(2, 16, 1),
    Size(2, 32, 2),
    Size(1, 48, 3, role="control"),
    Size(2, 48, 3),
    Size(2, 64, 4),
    Size(3, 80, 5),
)


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How one model is trained. Two models differ in size and seed only.

    Attributes:
        steps: Optimiser steps.
        checkpoints: Steps after which the model is kept, ascending; denser where recall jumps.
        mixture: Rows of each task in a batch, in the order in which they are drawn.
        prompt_weight: Loss weight of a token that is not part of an answer (answers weigh 1).
        learning_rate: Peak; linear warm-up, then linear decay to a tenth.
        warmup: Steps of warm-up.
        weight_decay: Of the matrices.
        clip: Largest norm of the gradient.
        stream: First word of the seed of the training data; the second is the model's seed.
    """

    steps: int = 2000
    checkpoints: tuple[int, ...] = (
        *(0, 32, 64, 128, 200, 300, 350, 400, 450, 500),
        *(550, 600, 650, 700, 800, 900, 1000, 1200, 1500, 2000),
    )
    mixture: dict[str, int] = msgspec.field(
        default_factory=lambda: {
            "recall": 8,
            "addition": 4,
            "facts": 4,
            "recite": 4,
            "parity": 1,
            "reverse": 3,
            "sort": 2,
        }
    )
    prompt_weight: float = 0.1
    learning_rate: float = 3e-3
    warmup: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    stream: int = 7

    @property
    def tokens_per_step(self) -> int:
        """Tokens in one batch."""
        return CONTEXT * sum(self.mixture.values())

    @property
    def id(self) -> str:
        """Content hash: a checkpoint says by which recipe it was made."""
        return content_hash(self, length=12)

    def rate(self, step: int) -> float:
        """Learning rate of one step, counted from 0."""
        return self.learning_rate * min(1.0, (step + 1) / self.warmup) * max(0.1, 1.0 - step / self.steps)


RECIPE = Recipe()


def model_name(size: Size, seed: int = 0) -> str:
    """Name of a model: "tiro-2x64", and "tiro-2x64-seed1" for any seed but 0."""
    return f"{FAMILY}-{size.label}" + (f"-seed{seed}" if seed else "")
