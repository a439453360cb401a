"""Tasks of lm-evaluation-harness: `read_lm_eval` reads its YAML, `harness_results` gives its own figures."""

from saltus.tasks.lm_eval.suite import read_lm_eval
from saltus.tasks.lm_eval.task import LmEvalTask, harness_results

__all__ = ["LmEvalTask", "harness_results", "read_lm_eval"]
