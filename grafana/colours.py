"""Colours that differ from each other and from the page, in both of Grafana's themes.

A colour name has a shade in each theme, a number has not. Tests require a contrast of 3 with both
pages, and a minimum distance between the colours of one panel.
"""

GOOD = "green"
WARNING = "semi-dark-orange"
BAD = "red"
NEUTRAL = "blue"
# For values that are not a state: the colour of the page's text.
PLAIN = "text"

# For series of a panel whose names are known, in their order.
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
