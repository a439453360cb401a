"""Interventions: ablation, patching, paths, their estimates from gradients, and adapters."""
