"""What the planner is held against: its request read anew, its periods integrated, and optima found in other ways.

Nothing here uses the planner's own code but the shapes of its input and output.
"""
