"""A decoder for reduced parts of large JPEG photographs, as crops need them, in one pass over the file.

It reads baseline files of 8 bits with Huffman codes (ITU-T T.81), gray or YCbCr with chroma at the full or half rate;
libjpeg reads all others. libjpeg, too, reduces sizes while it decodes, but it stores the coefficients of all codes
before it drops most of them, which is about half of its work. This decoder stores nothing that lies outside of the
parts or is too fine for their size, and reads nothing below the last part.

* `markers` parses the segments before the pixels.
* `huffman` builds lookup tables for the codes.
* `entropy` reads coefficients by these tables.
* `pixels` computes pixels from coefficients.
* `decoder` combines them.

Pixels differ by at most one level from those that libjpeg decodes in full size when each block of 8 x 8 is reduced to
its lowest frequencies, unless levels were clipped at black or white. libjpeg's reduced images are averages of
neighbors. They have the same levels at an eighth if chroma has the full rate. Otherwise they differ by up to 4 levels
on average where there is fine texture, of which more is kept here.
"""
