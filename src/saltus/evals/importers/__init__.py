"""Import what others measured: start at `entry.import_results`."""

from saltus.evals.importers.entry import FORMATS, import_results
from saltus.evals.importers.parsed import Failure, ImportResult

__all__ = ["FORMATS", "Failure", "ImportResult", "import_results"]
