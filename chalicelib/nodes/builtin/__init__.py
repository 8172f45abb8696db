"""The nodes whose type has no dot: triggers and controls that are Penstock itself."""
