"""Frames: what a server and a helper process say to each other. Four bytes of length, and so many bytes."""

HEADER_BYTES = 4
"""The length, the most significant byte first."""


def framed(content: bytes) -> bytes:
    """The content as a frame."""
    return len(content).to_bytes(HEADER_BYTES, "big") + content


def length_within(header: bytes, most: int) -> int:
    """How many bytes follow a frame's header; raises ValueError where they are more than a frame may have."""
    length = int.from_bytes(header, "big")
    if len(header) != HEADER_BYTES or length > most:
        raise ValueError("this is no frame")
    return length
