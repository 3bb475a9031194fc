"""Reference pages made from the code. `python -m docs.generate` writes them, `--check` names those out of date."""
