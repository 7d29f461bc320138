"""Colours that can be told apart from each other and from the page, in both of Grafana's themes.

A name has a shade of its own in each theme, a number has not. Tests hold all of them to a contrast
of 3 with both pages, and those of one panel to a distance from each other.
"""

GOOD = "green"
WARNING = "semi-dark-orange"
BAD = "red"
NEUTRAL = "blue"
# What is no state: the colour of the page's text.
PLAIN = "text"

# For the series of one panel whose names are known, in their order.
SERIES = (
    "blue",
    "dark-orange",
    "purple",
    "semi-dark-green",
    "red",
    "#0B9BA5",
    "#D6549B",
    "#8A7F70",
)
