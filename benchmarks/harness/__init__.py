"""What benchmarks share: command, options, running a grid, meters, results, report, pictures."""
