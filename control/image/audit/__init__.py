"""Searches an image for what must not be in it: a tree of files, or the blocks of a raw disk.

It knows nothing of what cleans the image, and needs nothing but Python, so that it also runs on a
machine that holds only this folder: `python3 -m image.audit`.

Read:
- every regular file to its last byte, once however many names it has, all names, every link's
  target, and extended attributes;
- what is inside gzip, bzip2, xz, zip (jar, whl, ...) and zstd files, one level deep, an initrd
  behind its uncompressed part too; what a tar or an SQLite file holds as it lies there;
- what is written in UTF-16, base64 (plain, in lines, or for addresses) or hexadecimal digits, and
  gzip in base64, as cloud-init takes it; in blocks too, and once: base64 in base64 is not seen;
- files that betray people, keys or one certain machine by their names;
- /etc/shadow and its like for passwords, sudo's settings for who needs none;
- of a raw disk every block that was ever written, so deleted files, the slack behind files, swap,
  and the file system's journal too.

A value that looks like a secret is judged by all of it and a little of what follows, so that what
is allowed hides nothing that begins alike.

Not read, but told of in the summary, so that nobody takes it for clean: other compressions (lz4,
7z, rar, Debian packages; zstd where there is no program for it), what is encrypted or broken, files
that cannot be opened, and file systems that exist only while a machine runs (/proc, /sys, ...).

Not seen at all: secrets of no known shape (a password alone on a line, a key id in words), in other
writings, cut in pieces, or two compressions deep; passwords by their name in what packages bring
(/usr but for /usr/local and systemd's units). In blocks, besides: passwords and public keys that
are known by where they lie, what is compressed, and what lies in pieces that show no shape alone.
"""
