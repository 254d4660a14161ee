"""powercut.py - takes the power from a file system, as far as its journal can tell.

Usage: powercut.py LEDGER SNAPSHOT MOUNTPOINT

Copies the ledger first, and shuts the ext4 file system down after that, without
writing its log: what was acknowledged in the copy has to be on the disk.  (Read
after it, a batch can look acknowledged that was not: fdatasync may return 0 while
ext4 gives its log up.)  Prints the moment, in microseconds.
"""

import fcntl
import os
import shutil
import struct
import sys
import time

SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125  # EXT4_IOC_SHUTDOWN
WITHOUT_LOG_FLUSH = struct.pack("I", 2)

ledger, snapshot, mountpoint = sys.argv[1:]
descriptor = os.open(mountpoint, os.O_RDONLY)
shutil.copyfile(ledger, snapshot)
print(time.time_ns() // 1000)
fcntl.ioctl(descriptor, SHUTDOWN, WITHOUT_LOG_FLUSH)
