"""With this folder on PYTHONPATH the network is cut: Python reaches the loopback only, which kernels need.

Here, too, is a library left out until it is needed that takes 2 s in every process that imports nbformat.
"""

import os
import socket
import sys
import types
from importlib.util import find_spec


def _cut(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        endpoint, address = arguments[0], arguments[1]
        if endpoint.family == getattr(socket, "AF_UNIX", None) or address is None:
            return
        host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and host not in ("localhost", "::1", "0.0.0.0", "::") and not host.startswith("127."):
        raise OSError(f"the network is cut: {event} to {host!r}")


class _Later(types.ModuleType):
    """Stands in for rfc3987_syntax, which jsonschema imports and seldom asks: it compiles a grammar of addresses."""

    @staticmethod
    def is_valid_syntax(term, value):
        sys.modules.pop("rfc3987_syntax", None)
        from rfc3987_syntax import is_valid_syntax

        return is_valid_syntax(term, value)


if os.environ.get("GENCOURSE_OFFLINE") == "1":
    sys.addaudithook(_cut)
    if "rfc3987_syntax" not in sys.modules and find_spec("rfc3987_syntax"):
        sys.modules["rfc3987_syntax"] = _Later("rfc3987_syntax")
