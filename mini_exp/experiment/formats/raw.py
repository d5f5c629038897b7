"""What is written as it is, and read by other programs alone."""

from __future__ import annotations


def to_bytes(content: bytes) -> bytes:
    return content
