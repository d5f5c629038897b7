"""What is written as it is."""

from __future__ import annotations


def to_bytes(content: bytes) -> bytes:
    return content


def from_bytes(content: bytes) -> bytes:
    return content
