"""The balancer's views of its substations."""

from load_balancer import views
from load_balancer.profile import SubstationProfile
from tests.unit.load_balancer.routing.grid import Grid


def test_prometheus_is_reported_a_query_in_its_own_way() -> None:
    profile = SubstationProfile(
        metrics_port=9100, metrics_path="/probe?module=ev&target=a%20b&target=c"
    )
    (target,) = views.targets(Grid(4).pool, {"http://a:5002": profile})

    assert target["targets"] == ["a:9100"]
    assert target["labels"] == {
        "substation": "a",
        "__metrics_path__": "/probe",
        "__param_module": "ev",
        "__param_target": "a b",
    }
