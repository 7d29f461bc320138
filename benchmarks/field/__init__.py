"""Compares the substation's model with real charging sessions, and with another simulator."""
