"""Where the bytes are: one contract (`Store`) and the places that keep it.

Guaranteed by each of them, and tested by the same class of tests:

* `put_if_absent` has exactly one winner among threads, processes and machines, and its file is whole and durable
  (but in the commit mode `single-writer`, where a lease has to keep others out).
* A reader sees a whole file or none, bulk files under random names excepted while they are streamed.
* A call that raises has changed nothing, or says that it cannot tell (`StorageError`, code `"doubtful"`).
* Foreign errors are chained, never let out.

Not guaranteed: an order between different files (the log gives that), the durability of deletions, and anything on a
disk that confirms an fsync which it has not done.

Importing this package costs a few modules of the standard library; `RemoteStore`, which needs more, is in
`localreg.storage.remote` and is imported by who has a remote address.
"""

from localreg.storage.lease import Lease
from localreg.storage.local import LocalStore
from localreg.storage.memory import MemoryStore
from localreg.storage.queue import LockQueue, Turn
from localreg.storage.store import FileSize, Store

__all__ = ["Store", "FileSize", "Lease", "LockQueue", "Turn", "LocalStore", "MemoryStore"]
