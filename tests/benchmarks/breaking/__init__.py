"""Parts of the benchmarks that break a system: loads, victims, fuzzed requests and records."""
