"""Penstock: flows as files, run on a laptop or in your own AWS account."""
