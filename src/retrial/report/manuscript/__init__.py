"""The manuscript kit: the first layer and the methods as Markdown, LaTeX, Word and Typst, with tables, figures and references."""
