"""Sealing and opening credentials. Until it stands, they come from the environment through the same port."""
