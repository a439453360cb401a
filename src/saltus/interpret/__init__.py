"""Which parts of a network carry an ability: everything that needs activations or gradients.

Read `explanation` first (all methods in one order), then `dissect` (one model), then the package of a method.
`network` is the ground they stand on. Torch is imported only where a model is run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saltus.interpret.attention.heads import head_scores
    from saltus.interpret.attention.probes import make_probes, probe_vocabulary
    from saltus.interpret.causal.ablation import ablate, reference
    from saltus.interpret.causal.adapter import load_adapter, make_adapter, save_adapter
    from saltus.interpret.causal.patching import patch
    from saltus.interpret.causal.paths import path_effects
    from saltus.interpret.causal.screening import screen
    from saltus.interpret.circuits.circuit import find_circuit
    from saltus.interpret.development.follow import follow
    from saltus.interpret.explanation import Explained, ExplainSettings, explain
    from saltus.interpret.network.architecture import Architecture
    from saltus.interpret.network.checkpoints import open_checkpoints, open_model
    from saltus.interpret.network.hooked import HookedModel
    from saltus.interpret.network.prompts import make_prompts
    from saltus.interpret.network.scoring import score_prompts
    from saltus.interpret.readout.direct import direct_logits
    from saltus.interpret.readout.lens import logit_lens, tuned_lens
    from saltus.interpret.subject import find_subject, find_suite

_HOME = {
    "Architecture": "network.architecture",
    "ExplainSettings": "explanation",
    "Explained": "explanation",
    "HookedModel": "network.hooked",
    "ablate": "causal.ablation",
    "direct_logits": "readout.direct",
    "explain": "explanation",
    "find_circuit": "circuits.circuit",
    "find_subject": "subject",
    "find_suite": "subject",
    "follow": "development.follow",
    "head_scores": "attention.heads",
    "load_adapter": "causal.adapter",
    "logit_lens": "readout.lens",
    "make_adapter": "causal.adapter",
    "make_probes": "attention.probes",
    "make_prompts": "network.prompts",
    "open_checkpoints": "network.checkpoints",
    "open_model": "network.checkpoints",
    "patch": "causal.patching",
    "path_effects": "causal.paths",
    "probe_vocabulary": "attention.probes",
    "reference": "causal.ablation",
    "save_adapter": "causal.adapter",
    "score_prompts": "network.scoring",
    "screen": "causal.screening",
    "tuned_lens": "readout.lens",
}

__all__ = [
    "Architecture",
    "ExplainSettings",
    "Explained",
    "HookedModel",
    "ablate",
    "direct_logits",
    "explain",
    "find_circuit",
    "find_subject",
    "find_suite",
    "follow",
    "head_scores",
    "load_adapter",
    "logit_lens",
    "make_adapter",
    "make_probes",
    "make_prompts",
    "open_checkpoints",
    "open_model",
    "patch",
    "path_effects",
    "probe_vocabulary",
    "reference",
    "save_adapter",
    "score_prompts",
    "screen",
    "tuned_lens",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
