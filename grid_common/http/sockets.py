"""Socket operations that the socket's own methods lack, or do at a higher cost."""

import socket

_TCP_ESTABLISHED = 1
# Idle time after which the kernel starts to probe, and the interval and number of probes without an
# acknowledgement before it closes the connection, seconds.
#
# Thousands of connections that arrive together are probed together, and a kernel drops packets over
# its queue (1,000 on loopback and between containers). Three probes were not enough: of 5,000
# working connections, 500 were closed. Hence the many probes. Timers below 16 s are
# precise enough to spread the probes of one second. Only the accepting side probes, because the
# connecting side checks the health of its peer in its own way.
_IDLE_S = 15
_INTERVAL_S = 5
_PROBES = 9
# How long sent bytes may stay unacknowledged.
_UNACKNOWLEDGED_MS = 1000 * (_IDLE_S + _INTERVAL_S * _PROBES)

_OPTIONS = [
    (socket.IPPROTO_TCP, getattr(socket, name), value)
    for name, value in {
        "TCP_KEEPIDLE": _IDLE_S,
        "TCP_KEEPINTVL": _INTERVAL_S,
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": _UNACKNOWLEDGED_MS,
    }.items()
    if hasattr(socket, name)  # all of them exist on Linux
]


def has_disconnected(sock: socket.socket) -> bool:
    """Return whether the peer closed its side, or the connection broke, without consuming bytes.

    A caller that closes only its sending side counts as disconnected, as it does for most proxies.
    """
    if hasattr(socket, "TCP_INFO"):  # Linux: the kernel's state, whatever bytes are queued
        state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state != _TCP_ESTABLISHED
    timeout = sock.gettimeout()
    sock.settimeout(0)  # elsewhere a peek, which must not block
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(timeout)


def send_whole(sock: socket.socket, data: bytes) -> None:
    """Send a whole message; a small one without gevent's check of the send buffer's size."""
    sent = sock.send(data)
    if sent < len(data):
        sock.sendall(data[sent:])


def notice_a_vanished_peer(sock: socket.socket) -> None:
    """Break connections accepted by this socket 60 s after their peer vanished without closing.

    A process that ends closes its connections, and a frozen one keeps them, because its kernel
    acknowledges for it. This is about a machine, a container or a network link that is gone. With
    default settings the kernel would check after two hours, and the server would work for nobody
    until then. Reading from such a connection then fails, as it does after a reset.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in _OPTIONS:
        sock.setsockopt(*option)
