"""Where the answer stands in an output that also shows its working: behind the last "Answer:".

A variant that asks for working names the cue in `extra["answer_cue"]`; whoever scores reads the output
through `read_answer`, so that every metric goes on comparing an answer with the target.
"""

from __future__ import annotations

import re

from saltus.records.evidence import Sample

CUE = "Answer:"
CUE_KEY = "answer_cue"

_WRAPPED = re.compile(r"\A(?:\*\*|__|`|\$|\\boxed\{)+|(?:\*\*|__|`|\$|\})+\Z")


def read_answer(sample: Sample, output: str) -> str:
    r"""What an output answers, for scoring.

    Args:
        sample: As it was asked; without `extra["answer_cue"]` the whole output is the answer.
        output: As the model wrote it.

    Returns:
        The first line behind the last cue, without emphasis around it and without a full stop that the target
        does not have; the empty text where the cue does not stand. The cue counts in any case.

    Examples:
        >>> asked = Sample(task="t", task_version="1", id="1", input="2 + 2?", target="4",
        ...     extra={"answer_cue": "Answer:"})
        >>> read_answer(asked, "2 and 2 make 4.\n**Answer:** 4."), read_answer(asked, "It is 4.")
        ('4', '')
    """
    cue = sample.extra.get(CUE_KEY) if sample.extra else None
    if not cue:
        return output
    place = output.lower().rfind(str(cue).lower())
    if place < 0:
        return ""
    rest = output[place + len(str(cue)) :].lstrip("*_ \t").lstrip()
    answer = rest.split("\n", 1)[0].strip()
    if not _WRAPPED.search(sample.target.strip()):
        answer = _WRAPPED.sub("", answer).strip()
    if answer.endswith(".") and not sample.target.rstrip().endswith("."):
        answer = _WRAPPED.sub("", answer[:-1]).strip()
    return answer
