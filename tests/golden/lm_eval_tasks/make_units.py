"""Asks lm-evaluation-harness for single results: its filters, metrics and draws: `python make_units.py`."""

import json
import random
from pathlib import Path

ANSWERS = [
    ["The answer is (B).", "the answer is (B)", "(A)"],
    [" 42 apples, 7 pears ", "#### 1,234.5", "#### -7 #### 8", "no number"],
    ["Paris!", "PARIS", "I say: C", "it is the  big apple", ": B", ""],
    ["yes\n", "No", "yes", "maybe yes"],
]
DOC = {"choices": ["Paris", "The Big", "the big Apple", "Rome."]}
FILTERS = [
    ("regex", {}),
    ("regex", {"regex_pattern": "([0-9]+)", "group_select": -1}),
    ("regex", {"regex_pattern": "(yes)|(no)|([0-9])", "fallback": "none"}),
    ("regex", {"regex_pattern": "(?i)(x)?(?:yes|paris)"}),
    ("remove_whitespace", {}),
    ("lowercase", {}),
    ("uppercase", {}),
    ("map", {"mapping_dict": {"yes": "1", "No": "0"}, "default_value": "2"}),
    ("map", {}),
    ("take_first", {}),
    ("take_first_k", {"k": 2}),
    ("majority_vote", {}),
    ("multi_choice_regex", {"regex_pattern": "(\\([A-Z]\\))"}),
    ("multi_choice_regex", {"regex_pattern": "(\\([A-Z]\\))", "ignore_case": True, "ignore_punctuation": True}),
    ("multi_choice_regex", {"group_select": -1, "regexes_to_ignore": ["the "], "fallback": "?"}),
]
PAIRS = [("The answer: 42!", "the answer 42"), ("a b", "a b"), ("Ab1", "ab2"), ("x ", "x"), ("", ""), ("é.", "É")]
OPTIONS = [
    {},
    {"ignore_case": True},
    {"ignore_punctuation": True},
    {"ignore_numbers": True},
    {"ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True},
    {"regexes_to_ignore": ["[aeiou]", " "]},
]
TEXTS = [("the cat sat on the mat", "the cat is on the mat"), ("hello there", "hello here"), ("one", "two words")]
POOLS = [(10, 3), (40, 5), (100, 4), (7, 6), (300, 21)]  # size and examples


def main():
    import lm_eval.filters  # registers them
    from lm_eval.api.metrics import exact_match_hf_evaluate
    from lm_eval.api.registry import get_aggregation, get_filter
    from lm_eval.api.samplers import ContextSampler

    filters = []
    for name, options in FILTERS:
        for answers in ANSWERS:
            found = list(get_filter(name)(**options).apply([list(answers)], [DOC]))
            filters.append({"name": name, "options": options, "answers": answers, "found": found[0]})
    matches = [
        {"pair": pair, "options": options, "found": bool(exact_match_hf_evaluate([pair[0]], [pair[1]], **options)["exact_match"])}
        for pair in PAIRS
        for options in OPTIONS
    ]
    draw = random.Random(3)
    decisions = [(draw.randrange(4), draw.randrange(4)) for _ in range(40)]
    twofold = [(gold % 2, said % 2) for gold, said in decisions]
    numbers = [draw.random() for _ in range(7)]
    sums = [(-draw.random() * 20, draw.randrange(1, 9)) for _ in range(9)]
    references = [([gold, gold.upper()], said) for gold, said in TEXTS]
    values = {
        "matthews_corrcoef": [decisions, twofold],
        "f1": [twofold, [(0, 0), (0, 0)]],
        "mean": [numbers],
        "median": [numbers, numbers[:6]],
        "nanmean": [numbers],
        "perplexity": [[-n for n in numbers]],
        "weighted_perplexity": [sums],
        "bits_per_byte": [sums],
        "bleu": [TEXTS, references],
        "chrf": [TEXTS, references],
        "chrf++": [TEXTS],
        "ter": [TEXTS],
    }
    aggregations = [
        {"name": name, "values": given, "found": float(get_aggregation(name)(given))}
        for name, cases in values.items()
        for given in cases
    ]
    draws = []
    for size, count in POOLS:
        sampler = ContextSampler([{"n": n} for n in range(size)], rnd=1234)
        found = [[doc["n"] for doc in sampler.sample(count)] for _ in range(3)]
        found += [[doc["n"] for doc in sampler.sample(count, eval_doc={"n": n})] for n in range(3)]
        draws.append({"size": size, "count": count, "found": found})
    found = {"filters": filters, "exact_match": matches, "aggregations": aggregations, "draws": draws}
    text = json.dumps({"doc": DOC, **found}, indent=0, ensure_ascii=False)
    (Path(__file__).parent / "units.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
