"""The replication study: many replicates of every variant, controls, and a verdict per claim."""
