"""Kill parts of the grid again and again under load: is anything lost, or charged twice?"""
