"""Geometry of activations and weights: what probes read off, what is alike, how many dimensions are used."""

from saltus.interpret.geometry.activations import (
    Places,
    ends,
    every_token,
    groups_of,
    read_features,
    sources,
)
from saltus.interpret.geometry.learning import (
    Langevin,
    LearningCoefficient,
    answer_losses,
    local_learning_coefficient,
    model_learning_coefficient,
    text_losses,
)
from saltus.interpret.geometry.pictures import PcaPath, pca_path
from saltus.interpret.geometry.probing import (
    LayerProbe,
    Target,
    answer_target,
    probe_effects,
    probe_layers,
    probe_measure,
    token_target,
)
from saltus.interpret.geometry.shape import (
    dimension_measure,
    layer_dimensions,
    layer_separation,
    separation_measure,
)
from saltus.interpret.geometry.similarity import (
    SimilarityMap,
    checkpoint_similarity,
    layer_similarity,
    similarity_measure,
)

__all__ = [
    "Langevin",
    "LayerProbe",
    "LearningCoefficient",
    "PcaPath",
    "Places",
    "SimilarityMap",
    "Target",
    "answer_losses",
    "answer_target",
    "checkpoint_similarity",
    "dimension_measure",
    "ends",
    "every_token",
    "groups_of",
    "layer_dimensions",
    "layer_separation",
    "layer_similarity",
    "local_learning_coefficient",
    "model_learning_coefficient",
    "pca_path",
    "probe_effects",
    "probe_layers",
    "probe_measure",
    "read_features",
    "separation_measure",
    "similarity_measure",
    "sources",
    "text_losses",
    "token_target",
]
