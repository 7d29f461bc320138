"""Socket operations that the socket's own methods lack, or do at a higher cost."""

import socket

_TCP_ESTABLISHED = 1


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
