"""The comparison with other ways to prune."""
