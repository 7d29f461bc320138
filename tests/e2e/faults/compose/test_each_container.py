"""Each container is killed, paused and restarted while vehicles charge."""

import pytest

from local_stack.faults import freeze, kill
from tests.e2e.faults.scene import LEASE_KWH, Scene

_PARTS = pytest.mark.parametrize("part", ["substation2", "balancer", "gateway"])


@_PARTS
def test_everybody_is_charged_once_when_a_container_is_killed(scene: Scene, part: str) -> None:
    scene.play(f"{part} killed, started again 2 s later", lambda: kill(scene.world.part(part), 2))


@_PARTS
def test_everybody_is_charged_once_when_a_container_is_paused(scene: Scene, part: str) -> None:
    scene.play(
        f"{part} paused for 5 s",
        lambda: freeze(scene.world.part(part), 5),
        most_over_kwh=LEASE_KWH,
    )


@_PARTS
def test_everybody_is_charged_once_when_a_container_is_restarted(scene: Scene, part: str) -> None:
    scene.play(f"{part} restarted gracefully", scene.world.part(part).restart)
