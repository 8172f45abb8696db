"""Signatures, computed and checked: AWS SigV4 and SigV4a outbound, webhook schemes inbound.

Pure: bytes in, bytes or a verdict out; the clock is an argument.
"""
