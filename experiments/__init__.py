"""One folder a question: what was asked, the command, and the answer; README.md is the catalogue."""
