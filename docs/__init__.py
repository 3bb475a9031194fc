"""The documentation: pages in Markdown, and the package that generates the reference from the code."""
