"""Searches an image for what must not be in it: a tree of files, or the blocks of a raw disk.

It knows nothing of what cleans the image, and needs nothing but Python, so that it also runs on a
machine that holds only this folder: `python3 -m image.audit`.

Read:
- every regular file to its last byte, once however many names it has, and every link's target;
- what is inside gzip, bzip2, xz and zip files (jar, whl, ...), one level deep, an initrd behind its
  uncompressed part too; a tar's or an SQLite file's content is read as it lies there;
- all names, for files that betray people, keys or one certain machine;
- /etc/shadow and its like, for passwords;
- of a raw disk every block that was ever written, so deleted files too.

Not read, but told of in the summary: other compressions (zstd, lz4, 7z, rar), what is encrypted,
and file systems that exist only while a machine runs (/proc, /sys, ...). Not seen at all: secrets
in UTF-16, in base64, or cut in pieces; compressed files that were deleted; extended attributes.
"""
