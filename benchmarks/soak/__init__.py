"""The grid under load and random faults for a long time: does it leak, lose, or charge twice."""
