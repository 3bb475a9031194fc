"""The tasks that RedOne learns and is measured by: prompt, parser, metric, trivial floor and lexical baseline of
each."""
