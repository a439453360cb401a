"""The embedded model family "tiro": eight small GPT-NeoX models that Saltus trains, ships and can retrain.

Read `recipe` (what the models are), `corpus` (what they learn), `suite` (what they are asked), then `train`.
Torch is imported only where a model is trained or scored.
"""

from saltus.family.catalog import checkpoints, finals, locate, path, series
from saltus.family.recipe import RECIPE, SIZES, Recipe, Size
from saltus.family.suite import suite as family_suite
from saltus.family.train import train_family

__all__ = [
    "RECIPE",
    "SIZES",
    "Recipe",
    "Size",
    "checkpoints",
    "family_suite",
    "finals",
    "locate",
    "path",
    "series",
    "train_family",
]
