"""How soon a connection is given up whose other end has vanished without a word.

A process that ends closes its connections, one that is frozen keeps them: its kernel answers for
it. This is about a machine, a container or a cable that is gone. With the system's own settings the
kernel would look after two hours, and the vehicle's point would be taken until then.
"""

import socket

# Silence after which the kernel begins to ask whether the other end is there, and how often it
# asks without an answer before it gives the connection up, seconds.
#
# Thousands of vehicles that came together are asked about together, and a kernel drops what is over
# its queue (1,000 packets on loopback and between containers). Three probes were not enough: of
# 5,000 vehicles 500 connections were given up that stood. So there are many; timers under 16 s are
# kept finely enough not to bunch those of a second; and only the end that accepted a connection
# asks, for whoever made it looks after the other's health in its own way.
_IDLE_S = 15
_INTERVAL_S = 5
_PROBES = 9
# Longest that bytes which were sent may go without the other kernel's word that they came.
_UNACKNOWLEDGED_MS = 1000 * (_IDLE_S + _INTERVAL_S * _PROBES)

_OPTIONS = [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in {
        "TCP_KEEPIDLE": _IDLE_S,
        "TCP_KEEPINTVL": _INTERVAL_S,
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": _UNACKNOWLEDGED_MS,
    }.items()
    if hasattr(socket, name)  # all of them on Linux
]


def notice_a_vanished_peer(sock: socket.socket) -> None:
    """Break the connections that this socket accepts 60 s after the other end vanished.

    Reading from it then fails, as it does after a reset.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in _OPTIONS:
        sock.setsockopt(*option)
