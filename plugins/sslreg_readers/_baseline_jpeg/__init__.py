"""A decoder for parts of large JPEG photographs in reduced sizes: what crops need of them, in one pass over the file.

Baseline files of 8 bits with Huffman codes (ITU-T T.81), gray or YCbCr with colors at the full or half the rate; others
are left to libjpeg. libjpeg, too, reduces sizes while it decodes, but makes coefficients of all codes before it drops
most of them, which is about half of all its work. Here nothing is made of what lies outside of the parts or is too fine
for their size, and nothing is read below the last one.

``markers`` reads what is before the pixels, ``huffman`` makes lookup tables for its codes, ``entropy`` reads
coefficients by them, ``pixels`` makes pixels of these, and ``decoder`` puts it together.

Pixels are within one level of those that libjpeg decodes in full size, each block of 8 x 8 reduced to its lowest
frequencies, unless levels were cut off at black or white. libjpeg's own reduced images are averages of neighbors. They
have the same levels at an eighth where colors are at the full rate, and others, by up to 4 on average, where there is
fine texture, of which more is kept here.
"""
