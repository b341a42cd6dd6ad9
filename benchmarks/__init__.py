"""Speed: ``python -m benchmarks`` prints one line per benchmark, its baseline measured in the same run."""
