"""The decisions of the balancer. Pure: clock and randomness are passed in.

- The pool: `pool` combines all of this in one step. `known_substations` are its substations,
  `queue` is its wait queue, `retry_budget` limits retries.
- The choice: `matching` picks the next session. `view` shows it the substations, `index` does so if
  there are many. `policies` names the policies: those in `policy`, and `earliest_finish`, which
  uses a `prediction` for the vehicle's `demand`.
- One substation: `substation`, with the sessions sent there, and its `load`, `peer_loads`,
  `energy` and `health`.
- One session: `wait` in the queue, the `outcome` of an attempt, and its `legs`.
- `poll_schedule`: when a substation is polled.
"""
