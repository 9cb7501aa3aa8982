"""The three games of disaggregated inference, solved exactly; no simulation in here."""
