"""Sealing and opening credentials. Until the vault stands, credentials come from the environment through the same port."""
