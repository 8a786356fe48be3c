"""Searches an image for what must not be in it: a tree of files, or the blocks of a raw disk.

It knows nothing of what cleans the image, and needs nothing but Python, so that it also runs on a
machine that holds only this folder: `python3 -m image.audit`.

Read:
- every regular file to its last byte, once however many names it has, every link's target, and
  extended attributes;
- what is inside gzip, bzip2, xz, zip (jar, whl, ...) and zstd files, one level deep, an initrd
  behind its uncompressed part too; text in UTF-16; what a tar or an SQLite file holds as it lies
  there;
- all names, for files that betray people, keys or one certain machine;
- /etc/shadow and its like, for passwords;
- of a raw disk every block that was ever written, so deleted files too.

Not read, but told of in the summary, so that nobody takes it for clean: other compressions (lz4,
7z, rar, Debian packages; zstd where there is no program for it), what is encrypted or broken, and
file systems that exist only while a machine runs (/proc, /sys, ...). Not seen at all: secrets in
base64 but for keys, cut in pieces, or two compressions deep; of deleted files what was compressed.
"""
