"""The page of a run: lays out numbers that others computed, as one self-contained file (`retrial.report.page.write_report`)."""
