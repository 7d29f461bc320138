"""Scenes with different substations and scarce power, in which the choice matters to drivers."""
