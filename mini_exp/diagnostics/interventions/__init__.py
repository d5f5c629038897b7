"""What changes when one thing is changed: data, first width, weight decay, each with controls."""
