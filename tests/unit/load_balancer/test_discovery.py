import socket
from collections.abc import Sequence

import pytest

from load_balancer.discovery import Directory, Known, Resolution, look_up_all
from load_balancer.substation_entries import SubstationUrl

ONE = SubstationUrl("substation1", "substation1", 5002)
TWO = SubstationUrl("substation2", "substation2", 5002)
NOT_FOUND = Resolution(fault="the name substation1 cannot be resolved (name or service not known)")


def update(directory: Directory, **answers: Sequence[str]) -> list[tuple[str, str]]:
    """Take in addresses and list what is there, name and address."""
    entries = {one.name: one for one in (ONE, TWO)}
    known = directory.update({entries[name]: Resolution(found) for name, found in answers.items()})
    return [(one.name, one.address) for one in known if one.fault is None]


def test_a_name_with_one_address_gives_its_substation_its_own_name() -> None:
    substations = update(Directory([ONE, TWO]), substation1=["10.0.0.1"], substation2=["10.0.0.2"])
    assert substations == [
        ("substation1", "http://10.0.0.1:5002"),
        ("substation2", "http://10.0.0.2:5002"),
    ]


def test_every_address_behind_a_name_is_a_separate_substation() -> None:
    substations = update(Directory([TWO]), substation2=["10.0.0.2", "10.0.0.3"])
    assert substations == [
        ("substation2@10.0.0.2", "http://10.0.0.2:5002"),
        ("substation2@10.0.0.3", "http://10.0.0.3:5002"),
    ]


def test_a_substation_keeps_its_name_when_others_come_and_go_beside_it() -> None:
    directory = Directory([TWO])
    assert update(directory, substation2=["10.0.0.2"])[0][0] == "substation2"
    grown = update(directory, substation2=["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    assert [name for name, _ in grown] == [
        "substation2@10.0.0.1",
        "substation2",
        "substation2@10.0.0.3",
    ]
    shrunk = update(directory, substation2=["10.0.0.3"])
    assert shrunk == [("substation2@10.0.0.3", "http://10.0.0.3:5002")]


def test_a_container_that_comes_back_at_another_address_has_its_name_again() -> None:
    directory = Directory([TWO])
    update(directory, substation2=["10.0.0.2"])
    assert update(directory, substation2=["10.0.0.9"]) == [("substation2", "http://10.0.0.9:5002")]


@pytest.mark.parametrize("answer", [Resolution(), NOT_FOUND])
def test_an_answer_without_addresses_keeps_the_last_good_list(answer: Resolution) -> None:
    directory = Directory([ONE, TWO])
    before = directory.update(
        {ONE: Resolution(["10.0.0.1"]), TWO: Resolution(["10.0.0.2", "10.0.0.3"])}
    )
    assert directory.update({ONE: answer, TWO: answer}) == before
    assert directory.update({}) == before


def test_a_name_that_was_never_found_is_a_substation_with_a_fault_and_stops_no_other() -> None:
    known = Directory([ONE, TWO]).update({ONE: NOT_FOUND, TWO: Resolution(["10.0.0.2"])})
    assert known == [
        Known("substation1", "http://substation1:5002", ONE, NOT_FOUND.fault),
        Known("substation2", "http://10.0.0.2:5002", TWO),
    ]


def test_a_name_that_is_found_at_last_has_no_fault_left() -> None:
    directory = Directory([ONE])
    assert update(directory) == []
    directory.update({ONE: NOT_FOUND})
    assert update(directory, substation1=["10.0.0.1"]) == [("substation1", "http://10.0.0.1:5002")]


def test_one_address_behind_two_names_is_the_first_ones_and_a_fault_of_the_second() -> None:
    first, second = Directory([ONE, TWO]).update({ONE: Resolution(["10.0.0.1"])} | {TWO: NOT_FOUND})
    assert (first.fault, second.fault) == (None, NOT_FOUND.fault)

    known = Directory([ONE, TWO]).update(
        {ONE: Resolution(["10.0.0.1"]), TWO: Resolution(["10.0.0.1", "10.0.0.2"])}
    )

    assert [(one.name, one.address) for one in known] == [
        ("substation1", "http://10.0.0.1:5002"),
        ("substation2@10.0.0.1", "substation2@10.0.0.1=http://10.0.0.1:5002"),
        ("substation2@10.0.0.2", "http://10.0.0.2:5002"),
    ]
    fault = "resolves to http://10.0.0.1:5002, which is substation1 already: remove one of them"
    assert [one.fault for one in known] == [None, fault, None]
    assert [one.entry for one in known] == [ONE, TWO, TWO]


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert update(Directory([ONE]), substation1=["fd00::1"]) == [
        ("substation1", "http://[fd00::1]:5002")
    ]


def test_what_is_known_of_entries_that_stay_is_kept_when_others_come_and_go() -> None:
    directory = Directory([TWO])
    directory.update({TWO: Resolution(["10.0.0.2"])})
    directory.set_entries([ONE, TWO])
    assert update(directory, substation1=["10.0.0.1"]) == [
        ("substation1", "http://10.0.0.1:5002"),
        ("substation2", "http://10.0.0.2:5002"),
    ]
    directory.set_entries([ONE])
    assert update(directory) == [("substation1", "http://10.0.0.1:5002")]


def test_a_failed_look_up_says_why_and_does_not_affect_others() -> None:
    def find(entry: SubstationUrl) -> Sequence[str]:
        if entry == ONE:
            raise socket.gaierror(-2, "Name or service not known")
        return ["10.0.0.2"] if entry == TWO else []

    three = SubstationUrl("substation3", "nowhere.example", 5002)
    assert look_up_all([ONE, TWO, three], find) == {
        ONE: NOT_FOUND,
        TWO: Resolution(["10.0.0.2"]),
        three: Resolution([], "the name nowhere.example has no address"),
    }


def test_what_was_not_looked_up_yet_says_so() -> None:
    directory = Directory([ONE])
    assert [one.fault for one in directory.update({})] == ["not looked up yet"]
    directory.set_entries([ONE, TWO])
    assert [one.fault for one in directory.update({})] == ["not looked up yet"] * 2
    assert directory.addresses(TWO) == ()


def test_substations_are_called_as_by_a_balancer_that_was_there_before() -> None:
    directory = Directory([TWO])
    update(directory, substation2=["10.0.0.2", "10.0.0.3"])
    directory.use_names(
        {
            "http://10.0.0.2:5002": "substation2",
            "http://10.0.0.3:5002": "somebody else's",
            "http://10.0.0.4:5002": "substation2@10.0.0.4",
        }
    )
    assert update(directory, substation2=["10.0.0.2", "10.0.0.3"]) == [
        ("substation2", "http://10.0.0.2:5002"),
        ("substation2@10.0.0.3", "http://10.0.0.3:5002"),
    ]


def test_an_entry_that_was_gone_and_is_back_is_named_again() -> None:
    directory = Directory([TWO])
    update(directory, substation2=["10.0.0.2", "10.0.0.3"])
    directory.set_entries([ONE])
    directory.set_entries([TWO])
    assert update(directory, substation2=["10.0.0.3"]) == [("substation2", "http://10.0.0.3:5002")]


def test_a_look_up_that_fails_without_a_number_or_unexpectedly_says_what_it_can() -> None:
    def find(entry: SubstationUrl) -> Sequence[str]:
        raise OSError("No Way") if entry == ONE else ValueError("odd")

    assert look_up_all([ONE, TWO], find) == {
        ONE: Resolution(fault="the name substation1 cannot be resolved (no way)"),
        TWO: Resolution(fault="its look-up failed"),
    }


def test_a_substation_keeps_its_name_when_other_entries_change() -> None:
    directory = Directory([TWO])
    update(directory, substation2=["10.0.0.2"])
    directory.set_entries([ONE, TWO])
    grown = update(directory, substation1=["10.0.0.1"], substation2=["10.0.0.2", "10.0.0.3"])
    assert [name for name, _ in grown] == ["substation1", "substation2", "substation2@10.0.0.3"]


def test_an_address_that_was_gone_and_is_back_is_named_again() -> None:
    directory = Directory([TWO])
    update(directory, substation2=["10.0.0.2"])
    update(directory, substation2=["10.0.0.3"])
    both = update(directory, substation2=["10.0.0.2", "10.0.0.3"])
    assert [name for name, _ in both] == ["substation2@10.0.0.2", "substation2"]
