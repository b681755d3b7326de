"""Decodes damaged files, and tells how many were refused and how many were not: ``fuzzing.py SEED COUNT``."""

import io
import sys

import numpy as np
import simplejpeg
from PIL import Image
from sklearn.datasets import load_sample_images

from sslreg import Part, Source
from sslreg_readers._baseline_jpeg.decoder import decode_parts
from sslreg_readers._baseline_jpeg.markers import UnsupportedError
from sslreg_readers.jpeg import Jpeg

HEIGHT, WIDTH = 150, 203


def main(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    files = intact(random)
    refused = decoded = 0
    mutants = (damaged(files[random.integers(len(files))], random) for _ in range(count))
    for data in (*(longest_codes(length) for length in range(4)), *mutants):
        reduction = int(random.choice([2, 4, 8]))
        try:
            decode_parts(data, [Part(reduction, 0, 0, -(-HEIGHT // reduction), -(-WIDTH // reduction))])
        except UnsupportedError:
            refused += 1
            continue
        decoded += 1
        file = Jpeg().open(Source(data))
        # Raises what is wrong; a file that says that it is higher may have its damage where no part was.
        if file is not None and file.shape[1:] == (HEIGHT, WIDTH):
            file.read(reduction)
    sys.stdout.write(f"{refused} {decoded}")


def intact(random: np.random.Generator) -> list[bytes]:
    photo = np.ascontiguousarray(load_sample_images().images[0][:HEIGHT, :WIDTH])
    files: list[bytes] = [
        simplejpeg.encode_jpeg(photo, int(random.integers(1, 100)), colorsubsampling=subsampling)
        for subsampling in ("444", "422", "440", "420")
    ]
    options: list[dict[str, int]] = [{}, {"restart_marker_blocks": 5}, {"restart_marker_rows": 1}, {"optimize": 1}]
    for image in (Image.fromarray(photo), Image.fromarray(photo).convert("L")):
        for one in options:
            file = io.BytesIO()
            image.save(file, "JPEG", quality=60, **one)
            files.append(file.getvalue())
    return files


def longest_codes(length: int) -> bytes:
    """A file whose data end in the first MCU, while zeros stand for the longest codes and values that there are."""
    dc, ac = (bytes([kind, *[0] * 15, 1, symbol]) for kind, symbol in ((0x00, 11), (0x10, 0x0F)))
    frame = bytes([8, *HEIGHT.to_bytes(2), *WIDTH.to_bytes(2), 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
    scan = bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
    segments = [(0xDB, bytes([0, *[1] * 64])), (0xC4, dc), (0xC4, ac), (0xC0, frame), (0xDA, scan)]
    coded = (bytes([0xFF, marker]) + (len(segment) + 2).to_bytes(2) + segment for marker, segment in segments)
    return b"\xff\xd8" + b"".join(coded) + bytes(length) + b"\xff\xd9"


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Cut off, or with some bytes changed, put in or taken out; mostly in the entropy-coded data."""
    first = data.index(b"\xff\xda") if random.random() < 0.7 else 0
    place, length = int(random.integers(first, len(data))), int(random.integers(1, 9))
    some = random.integers(0, 256, length, dtype=np.uint8).tobytes()
    match random.integers(4):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + some + data[place + length :]
        case 2:
            return data[:place] + some + data[place:]
    return data[:place] + data[place + length :]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
