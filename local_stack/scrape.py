"""Reads a service's metrics, as Prometheus does."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

# Without the environment's proxy, which cannot reach this machine's loopback.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def scrape(url: str) -> dict[str, float]:
    """Return all samples of `GET {url}/metrics`, keyed `name{label="value"}`, labels sorted."""
    with _DIRECT.open(f"{url}/metrics", timeout=5) as page:
        return samples(page.read().decode())


def samples(page: str) -> dict[str, float]:
    """Return all samples of a metrics page, keyed the same way."""
    return {
        _key(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _key(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
