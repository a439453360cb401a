"""Suites that come with Saltus: items made by rule from a seed, in five bands of difficulty.

Each file here makes one suite and is declared as an entry point; `recipe` turns its rules into tasks, `draw`
is where its random numbers come from.
"""
