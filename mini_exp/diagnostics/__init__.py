"""Why pruning helps or hurts: every stage of every variant, seen through instruments."""
