"""Zip archives of weights, memory-mapped. An archive's declared sizes are bounded before they are used."""

from __future__ import annotations

import mmap
import os
import zipfile
import zlib
from dataclasses import dataclass

from convcalc.weights.tensors import MAX_TENSORS, quoted

MAX_DIRECTORY = 1 << 23  # bytes of the table of contents; a member takes some 80
MAX_MEMBERS = MAX_TENSORS + 100  # PyTorch's archives have a few members besides storages
BOMB_SIZE, BOMB_RATIO = (
    1 << 28,
    100,
)  # trained weights hardly compress; a file beyond both limits is not weights


class BadArchive(Exception):
    """A defect in an archive. The caller, which knows path and kind, turns it into a WeightsError."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. data: its stored bytes; size: its length when decompressed."""

    name: str
    data: memoryview
    size: int
    checksum: int
    deflated: bool

    def start(self, count: int) -> bytes:
        """At most this many first bytes, not verified by checksum."""
        if self.deflated:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.data, count)
        return bytes(self.data[:count])

    def content(self, *, checked: bool = False) -> bytes | memoryview:
        """Its bytes: a view of the mapped file unless compressed. Verified by checksum the first time. Raises
        BadArchive, or zlib.error if damaged."""
        data: bytes | memoryview = self.data
        if self.deflated:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.data, self.size + 1)
        if len(data) != self.size:
            raise BadArchive(f"{quoted(self.name)} is not as long as it says")
        if not checked and zlib.crc32(data) != self.checksum:
            raise BadArchive(f"{quoted(self.name)} does not match its checksum (CRC): the file is damaged")
        return data


def members(path: str, writer: str) -> dict[str, Member]:
    """The members of a zip archive by name, in order. writer: the program that writes such files, for errors.

    Raises BadArchive, or an exception of `zipfile` if the archive is damaged.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        _check_directory(mapped)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    _check_sizes(size, entries, writer)
    found: dict[str, Member] = {}
    for entry in entries:
        if entry.filename in found:
            raise BadArchive(f"it has {quoted(entry.filename)} twice")
        found[entry.filename] = _member(mapped, entry)
    return found


def _check_directory(mapped: memoryview) -> None:
    """Raises BadArchive if the table of contents is so long that listing it would cost more than reading weights."""
    tail = bytes(mapped[-(65535 + 22 + 20) :])
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + 22 > len(tail):
        raise BadArchive("the end of the archive is missing: it was cut short")
    here = len(mapped) - len(tail) + end
    sizes = [int.from_bytes(tail[end + 12 : end + 16], "little")]
    if (
        end >= 20 and tail[end - 20 : end - 16] == b"PK\6\7"
    ):  # a ZIP64 locator: the true size is in a longer record
        here -= 76
        for place in {here, int.from_bytes(tail[end - 12 : end - 4], "little")}:
            record = bytes(mapped[max(0, place) : max(0, place) + 56])
            if record[:4] == b"PK\6\6":
                sizes.append(int.from_bytes(record[40:48], "little"))
        if len(sizes) > 1 and sizes[0] == 0xFFFFFFFF:
            del sizes[0]
    if max(sizes) > MAX_DIRECTORY:
        raise BadArchive(f"its table of contents has {max(sizes):,} bytes; {MAX_DIRECTORY:,} are the most")
    count = bytes(mapped[max(0, here - max(sizes)) : max(0, here)]).count(b"PK\1\2")
    if count > MAX_MEMBERS:
        raise BadArchive(f"it has {count:,} members; {MAX_MEMBERS:,} are the most")


def _check_sizes(size: int, entries: list[zipfile.ZipInfo], writer: str) -> None:
    """Raises BadArchive if members overlap or decompress to too much."""
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadArchive(
                f"{quoted(entry.filename)} is encrypted or compressed in a way {writer} does not use"
            )
    if sum(entry.compress_size for entry in entries) > size:
        raise BadArchive("its members take more bytes than the file has")
    expanded = sum(entry.file_size for entry in entries)
    if expanded > BOMB_SIZE and expanded > BOMB_RATIO * size:
        raise BadArchive(f"its {size:,} bytes would expand to {expanded:,}")


def _member(mapped: memoryview, entry: zipfile.ZipInfo) -> Member:
    header = bytes(mapped[entry.header_offset : entry.header_offset + 30])
    if header[:4] != b"PK\3\4" or len(header) < 30:
        raise BadArchive(f"{quoted(entry.filename)} is not where the table of contents says")
    names, extras = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    begin = entry.header_offset + 30 + names + extras
    data = mapped[begin : begin + entry.compress_size]
    if len(data) != entry.compress_size:
        raise BadArchive(f"{quoted(entry.filename)} ends beyond the file: it was cut short")
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    return Member(entry.filename, data, entry.file_size, entry.CRC, deflated)
