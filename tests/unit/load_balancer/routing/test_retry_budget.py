from load_balancer.routing.retry_budget import RetryBudget


def spend(budget: RetryBudget, now: float) -> int:
    """Take what there is, and count it."""
    spent = 0
    while budget.take(now):
        spent += 1
    return spent


def test_it_starts_with_a_full_bucket() -> None:
    assert spend(RetryBudget(share=0.2, floor_per_s=1, burst=10), now=0) == 10


def test_each_first_dispatch_adds_its_share() -> None:
    budget = RetryBudget(share=0.25, floor_per_s=0.001, burst=10)
    spend(budget, now=0)
    for _ in range(20):
        budget.deposit()
    assert spend(budget, now=0) == 5


def test_time_adds_the_floor_whatever_the_traffic() -> None:
    budget = RetryBudget(share=0.2, floor_per_s=2, burst=10)
    spend(budget, now=0)
    assert spend(budget, now=1.5) == 3


def test_it_never_holds_more_than_its_burst() -> None:
    budget = RetryBudget(share=0.5, floor_per_s=5, burst=10)
    for _ in range(1000):
        budget.deposit()
    assert spend(budget, now=0) == 10
    assert spend(budget, now=1000) == 10


def test_a_retry_that_is_not_dispatched_costs_nothing() -> None:
    budget = RetryBudget(share=0.2, floor_per_s=1, burst=1)
    for _ in range(5):
        assert budget.take(now=0)
        assert not budget.take(now=0)
        budget.give_back()
    assert spend(budget, now=0) == 1
