"""Room for candidate against reference: deltas, fingerprints, decision."""

from saltus.gate.deltas import Comparison, Delta, Flip, Pairing, Question, Side, compare, pairings

__all__ = ["Comparison", "Delta", "Flip", "Pairing", "Question", "Side", "compare", "pairings"]
