"""Write evidence for other programs: start at `entry.export_run`."""

from saltus.evals.exporters.entry import FORMATS, ExportResult, export_run

__all__ = ["FORMATS", "ExportResult", "export_run"]
