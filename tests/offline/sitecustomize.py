"""With this folder on PYTHONPATH the network is cut: Python reaches the loopback only, which kernels need."""

import os
import socket
import sys


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


if os.environ.get("GENCOURSE_OFFLINE") == "1":
    sys.addaudithook(_cut)
