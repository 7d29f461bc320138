"""Looks up the substations' names, keeps the pool up to date, and starts the polls."""

import secrets
import time
from random import Random

import gevent
from gevent.event import Event
from prometheus_client import Counter

from grid_common.api.session_headers import OWNER
from grid_common.http.client import Upstream
from grid_common.http.url import HttpUrl, in_url, is_address
from grid_common.logs import Log
from grid_common.names import choose_family, listens, resolve
from load_balancer import views
from load_balancer.discovery import Directory, Known, Resolution, look_up_all
from load_balancer.entries_file import EntriesFile
from load_balancer.poller import Poller
from load_balancer.profile import SubstationProfile
from load_balancer.progress import Progress
from load_balancer.registers import Registers
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Substation
from load_balancer.settings import Settings
from load_balancer.substation_client import Owner, SubstationClient
from load_balancer.substation_entries import Entries, SubstationUrl

# Interval between checks of SUBSTATIONS_FILE, seconds.
_LOOK_EVERY_S = 1.0


class SubstationWatch:
    """Finds substations, connects to them and polls them. One per process."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        registers: Registers,
        *,
        random: Random,
        polls: Counter,
        log: Log,
    ) -> None:
        self.file = EntriesFile(settings, log)
        self.profiles: dict[str, SubstationProfile] = {}  # by address
        self._settings = settings
        self._pool = pool
        self._registers = registers
        interval_s = settings.poll_interval
        self._owner = Owner(secrets.token_hex(8), interval_s, settings.lease_s(interval_s))
        self._first_poll_at = 0.0  # of the substation found last
        self._random = random
        self._polls = polls
        self._log = log
        self.directory = Directory(self.file.entries)
        self._pollers: dict[str, Poller] = {}
        self._faults: dict[SubstationUrl, str] = {}
        self._changed = Event()

    def run(self) -> None:
        """Look up the names forever."""
        if self._settings.substations_file is not None:
            gevent.spawn(self._follow_file)
        known: list[Known] | None = None
        has_changed = True
        while True:
            self._changed.clear()
            entries = self.file.entries
            self.directory.set_entries(entries)
            answers = look_up_all(filter(self._may_move, entries), self._find)
            self._log_faults(answers)
            before, known = known, self.directory.update(answers)
            if has_changed or known != before:
                self._update(known, entries)
            pause_s = self._settings.resolve_interval * self._random.uniform(0.9, 1.1)
            has_changed = self._changed.wait(pause_s)

    def want_poll(self, substation: Substation) -> None:
        """Poll a substation as soon as possible."""
        poller = self._pollers.get(substation.address)
        if poller is not None:
            poller.want_poll()

    def _follow_file(self) -> None:
        while True:
            gevent.sleep(_LOOK_EVERY_S)
            if self.file.reload_if_changed():
                self._changed.set()

    def _may_move(self, entry: SubstationUrl) -> bool:
        """Return whether a look-up can change anything: an address never changes."""
        return not (is_address(entry.host) and self.directory.addresses(entry))

    def _find(self, entry: SubstationUrl) -> list[str]:
        if is_address(entry.host):
            return [entry.host]  # thousands of look-ups at once take threads and memory

        def is_well(address: str) -> bool:
            substation = self._pool.substations.get(str(HttpUrl(address, entry.port)))
            return substation is not None and substation.is_available(time.monotonic())

        chosen = choose_family(
            resolve(entry.host, entry.port),
            last=self.directory.addresses(entry),
            is_healthy=is_well,
            listens=lambda address: listens(address, entry.port, self._settings.connect_timeout),
        )
        return list(chosen)

    def _log_faults(self, answers: dict[SubstationUrl, Resolution]) -> None:
        """Log each failed look-up once, and once more when it succeeds again."""
        self._faults = {entry: why for entry, why in self._faults.items() if entry in answers}
        for entry, (_, fault) in answers.items():
            if fault == self._faults.get(entry):
                continue
            if fault is None:
                del self._faults[entry]
                self._log.info("name found again", host=entry.host)
            else:
                self._faults[entry] = fault
                self._log.warning("name not found", host=entry.host, error=fault)

    def _update(self, known: list[Known], entries: Entries) -> None:
        self._pool.set_substations([(one.name, one.address) for one in known], time.monotonic())
        # With many substations, each gets a heartbeat less often.
        interval_s = self._pool.health_check.interval_s
        lease_s = self._settings.lease_s(interval_s)
        self._owner.interval_s, self._owner.lease_s = interval_s, lease_s
        # Running charges keep the lease that they were sent with, which may be longer.
        self._registers.lease_s = max(self._registers.lease_s, lease_s)
        before = self.profiles
        # A removed substation keeps its own until its last vehicle is done.
        kept = {
            address: one for address, one in before.items() if address in self._pool.substations
        }
        self.profiles = kept | {one.address: entries[one.entry] for one in known}
        for one in known:
            substation = self._pool.substations[one.address]
            if one.fault is None:
                profile = self.profiles[substation.address]
                if substation.address not in self._pollers:
                    self._add(substation, one.entry, profile)
                    gevent.sleep(0)  # thousands at once would delay the responses to polls
                elif profile != before.get(substation.address):
                    self._reconfigure(substation, one.entry, profile)
            elif substation.reason != one.fault:
                self._pool.cannot_be_reached(substation, one.fault)
                self._log.warning(
                    "health changed",
                    substation=substation.name,
                    address=substation.address,
                    health=substation.health.value,
                    reason=substation.reason,
                )

    def _add(
        self, substation: Substation, entry: SubstationUrl, profile: SubstationProfile
    ) -> None:
        self._log.info("substation found", substation=substation.name, address=substation.address)
        upstream = Upstream(
            substation.address,
            connect_timeout_s=self._settings.connect_timeout,
            connections=self._settings.max_connections,
            idle_s=self._settings.upstream_idle_timeout,
            host=f"{in_url(entry.host)}:{entry.port}",
        )
        client = SubstationClient(substation.address, upstream, profile, self._owner)
        self._registers.clients[substation.address] = client
        log = self._log.bind(substation=substation.name, address=substation.address)
        Progress(substation, client, self._pool, self._registers, self._random, log).start()
        self._poll(substation, entry, profile)

    def _reconfigure(
        self, substation: Substation, entry: SubstationUrl, profile: SubstationProfile
    ) -> None:
        """Use another profile for a substation from now on."""
        self._log.info("substation changed", substation=substation.name, address=substation.address)
        substation.warning = substation.unusable_reason = None
        self._registers.clients[substation.address].profile = profile
        self._pollers[substation.address].stop()
        self._poll(substation, entry, profile)

    def _poll(
        self, substation: Substation, entry: SubstationUrl, profile: SubstationProfile
    ) -> None:
        poller = Poller(
            substation,
            self._pool,
            Upstream(
                views.page_url(substation.address, profile.metrics_port),
                connect_timeout_s=self._settings.poll_timeout,
                connections=1,
                idle_s=self._settings.upstream_idle_timeout,
                host=f"{in_url(entry.host)}:{profile.metrics_port or entry.port}",
            ),
            profile,
            self._settings,
            {OWNER: self._owner.name},
            self._random,
            self._polls,
            self._log.bind(substation=substation.name, address=substation.address),
        )
        self._pollers[substation.address] = poller
        now = time.monotonic()
        self._first_poll_at = max(now, self._first_poll_at + 1 / self._settings.poll_budget)

        def end() -> None:
            if self._pollers.get(substation.address) is poller:  # not replaced by another
                del self._pollers[substation.address]
                self._registers.disconnect(substation.address)
                self._log.info(
                    "substation gone", substation=substation.name, address=substation.address
                )
                if substation.address in self._pool.substations:
                    self._changed.set()  # it reappeared meanwhile, and is not polled

        poller.start(self._first_poll_at - now, end)  # spread: hundreds at once would time out
