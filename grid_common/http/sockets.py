"""What a socket's own methods do not tell, or do at too high a price."""

import socket

__all__ = ["has_disconnected", "send_whole"]

_TCP_ESTABLISHED = 1


def has_disconnected(sock: socket.socket) -> bool:
    """Tell whether the peer closed its side, or the connection broke, without consuming bytes.

    A caller that closes only its sending side counts as gone, as it does for most proxies.
    """
    if hasattr(socket, "TCP_INFO"):  # Linux: the kernel's own state, whatever bytes are queued
        state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state != _TCP_ESTABLISHED
    timeout = sock.gettimeout()
    sock.settimeout(0)  # elsewhere a peek; it must not wait
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(timeout)


def send_whole(sock: socket.socket, data: bytes) -> None:
    """Send all of a message; of a small one without gevent's look at the size of the buffer."""
    sent = sock.send(data)
    if sent < len(data):
        sock.sendall(data[sent:])
