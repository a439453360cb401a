"""Room for plans, risks, decision rights, playbooks, incidents and reviews, all kept in the ledger."""
