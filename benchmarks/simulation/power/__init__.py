"""Scenes in which power is scarce and sites differ: where the choice decides what drivers feel."""
