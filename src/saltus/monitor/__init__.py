"""Room for live traffic against a reference: ingest, monitors, alerts, triage."""
