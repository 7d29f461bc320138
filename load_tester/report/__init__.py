"""The report of a run: on the terminal, as a page, as CSV rows."""
