"""Proxies in front of a gateway: the examples of `docs/proxies.md`, with test ports and files."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from requests.adapters import HTTPAdapter

from local_stack.grid import Ports
from local_stack.process import ROOT, Process

NAME = "grid.example"
# The certificate's files as named in the page.
_NGINX_CERTIFICATE = "/etc/ssl/grid.example/fullchain.pem"
_NGINX_KEY = "/etc/ssl/grid.example/key.pem"
_HAPROXY_BOTH = "/etc/haproxy/grid.example.pem"
# The configuration that includes a file in conf.d.
_NGINX = """
daemon off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{servers}
}}
"""
_CADDY = """
{{
	admin off
	auto_https disable_redirects
}}
{substations}
"""


def example(section: str, language: str) -> str:
    """Return the first code block of a language in a section of the page."""
    page = (ROOT / "docs" / "proxies.md").read_text()
    _, _, rest = page.partition(f"# {section}\n")
    found = re.search(rf"^```{language}\n(.*?)^```$", rest, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/proxies.md has no {language} below {section}"
    return found[1]


def fill_in(text: str, changes: Mapping[str, str]) -> str:
    """Replace names in an example; each must occur, or the page has changed."""
    for there, here in changes.items():
        assert there in text, f"{there!r} is not in the example of docs/proxies.md"
        text = text.replace(there, here)
    return text


class Certificate(NamedTuple):
    """A test's certificate for `NAME`, its key, and both in one file."""

    certificate: Path
    key: Path
    both: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        made = cls(folder / "certificate.pem", folder / "key.pem", folder / "both.pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
        command += ["-addext", f"subjectAltName=DNS:{NAME}"]
        command += ["-out", str(made.certificate), "-keyout", str(made.key)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        made.both.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
        return made


class Place(NamedTuple):
    """The address of a test's proxy, the gateway's address, and the certificate."""

    port: int
    gateway: str
    own: Certificate


class Proxy(Process):
    """One proxy in front of a gateway."""

    program: str
    example: str

    def __init__(
        self,
        folder: Path,
        gateway: str,
        certificate: Certificate,
        changes: Mapping[str, str] | None = None,
    ) -> None:
        """Write its configuration.

        Args:
            folder: an empty directory.
            gateway: address and port of the gateway.
            certificate: its TLS certificate, if any.
            changes: replacements in the example.
        """
        path = shutil.which(self.program)
        if path is None:
            pytest.skip(f"{self.program} is not installed (Debian's package of that name)")
        folder.mkdir()
        port = Ports.free(0).gateway
        text = fill_in(self.example, changes or {})
        file = folder / "configuration"
        file.write_text(self.configuration(text, Place(port, gateway, certificate)))
        super().__init__(
            self.program,
            self.command(path, file),
            env={**os.environ, "HOME": str(folder)},
            port=port,
            log=folder / "log",
        )

    def configuration(self, text: str, at: Place) -> str:
        """Replace the example's addresses by a test's."""
        raise NotImplementedError

    def command(self, path: str, file: Path) -> list[str]:
        """Return the command that runs the program with a configuration file."""
        raise NotImplementedError

    def listens(self) -> str | None:
        """Return None once it accepts connections, otherwise what it does instead."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
        except OSError as error:
            return str(error)
        return None


class Nginx(Proxy):
    program = "nginx"
    example = example("nginx", "nginx")

    def configuration(self, text: str, at: Place) -> str:
        changes = {
            "listen 443 ": f"listen 127.0.0.1:{at.port} ",
            "127.0.0.1:8080": at.gateway,
            _NGINX_CERTIFICATE: str(at.own.certificate),
            _NGINX_KEY: str(at.own.key),
        }
        return _NGINX.format(servers=fill_in(text, changes))

    def command(self, path: str, file: Path) -> list[str]:
        return [path, "-e", "stderr", "-p", str(file.parent), "-c", str(file)]


class PlainNginx(Nginx):
    example = example("Without `Host`", "nginx")

    def configuration(self, text: str, at: Place) -> str:
        changes = {"listen 80;": f"listen 127.0.0.1:{at.port};", "127.0.0.1:8080": at.gateway}
        return _NGINX.format(servers=fill_in(text, changes))


class HAProxy(Proxy):
    program = "haproxy"
    example = example("HAProxy", "haproxy")

    def configuration(self, text: str, at: Place) -> str:
        changes = {
            "bind :443 ": f"bind 127.0.0.1:{at.port} ",
            "127.0.0.1:8080": at.gateway,
            _HAPROXY_BOTH: str(at.own.both),
        }
        return fill_in(text, changes)

    def command(self, path: str, file: Path) -> list[str]:
        return [path, "-db", "-f", str(file)]


class Caddy(Proxy):
    program = "caddy"
    example = example("Caddy", "caddyfile")

    def configuration(self, text: str, at: Place) -> str:
        changes = {
            f"{NAME} {{\n": f"https://{NAME}:{at.port} {{\n\tbind 127.0.0.1\n"
            f"\ttls {at.own.certificate} {at.own.key}\n",
            "127.0.0.1:8080": at.gateway,
        }
        return _CADDY.format(substations=fill_in(text, changes))

    def command(self, path: str, file: Path) -> list[str]:
        return [path, "run", "--adapter", "caddyfile", "--config", str(file)]


class _ByName(HTTPAdapter):
    """Uses TLS with a name for an address, as if DNS had resolved it."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(
            *arguments, **options, server_hostname=self._name, assert_hostname=self._name
        )


class Caller:
    """Calls a proxy by a name, with TLS if it has a certificate."""

    def __init__(self, proxy: Proxy, *, trusts: Path | None = None, name: str = NAME) -> None:
        scheme = "https" if trusts else "http"
        self.substation = f"{scheme}://{name}:{proxy.port}"
        self._url = f"{scheme}://127.0.0.1:{proxy.port}"
        self._host = f"{name}:{proxy.port}"
        self._session = requests.Session()
        self._session.verify = str(trusts) if trusts else True
        self._session.trust_env = False
        self._session.mount("https://", _ByName(name))

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Send a request."""
        return self._session.request(
            method,
            self._url + path,
            headers={"Host": self._host, **(headers or {})},
            **{"timeout": 20, **options},
        )
