"""Scenes in which power is scarce and substations differ.

Where the choice decides what drivers feel.
"""
