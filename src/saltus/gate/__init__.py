"""Room for candidate against reference: deltas, fingerprints, decision."""
