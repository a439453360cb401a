"""Which parts carry an ability: search on one half of the prompts, tests on the other."""
