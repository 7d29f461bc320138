"""Measures the cost of a charge: throughput, added time, CPU time and memory, hop by hop."""
