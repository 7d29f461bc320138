"""What a charge costs: requests a second, added time, CPU and memory, hop by hop."""
