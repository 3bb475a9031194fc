"""Entry points for `ray job submit -- python -m jobs.NAME`: parse arguments, call the library, print a table."""
