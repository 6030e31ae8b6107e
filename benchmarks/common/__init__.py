"""What the benchmarks share: processes, the machine, results, texts, pictures."""
