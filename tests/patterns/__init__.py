"""The workflow control-flow patterns, each as a flow that runs (`docs/patterns.md`)."""
