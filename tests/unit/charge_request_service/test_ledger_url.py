"""Where the ledger is, as a URL that may name the file of its password."""

from pathlib import Path

import pytest

from charge_request_service.sessions.ledger_url import read_ledger_url


def test_a_password_is_read_from_the_file_that_the_url_names(tmp_path: Path) -> None:
    file = tmp_path / "ledger_password"
    file.write_text("s3/cr@t\n")

    url = read_ledger_url(f"postgresql://grid@db/ledger?password_file={file}&sslmode=require")

    assert url.password == "s3/cr@t"  # noqa: S105 - the file's own
    assert (url.username, url.host, url.database) == ("grid", "db", "ledger")
    assert url.query == {"sslmode": "require"}


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("postgresql://grid@db/ledger?password_file={folder}/none", "none cannot be read: No such"),
        ("postgresql://grid@db/ledger?password_file={folder}/empty", "empty is empty"),
        (
            "postgresql://grid@db/ledger?password_file={folder}/bytes",
            "bytes cannot be read: it is not text",
        ),
        ("postgresql://grid:one@db/ledger?password_file={folder}/word", "more than one password"),
        (
            "postgresql://grid@db/ledger?password_file={folder}/word&password_file={folder}/word",
            "more than one password",
        ),
    ],
)
def test_a_file_that_gives_no_password_is_named_and_what_it_holds_is_not(
    tmp_path: Path, url: str, fault: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "word").write_text("hidden")

    with pytest.raises(ValueError, match=fault) as raised:
        read_ledger_url(url.format(folder=tmp_path))

    assert "hidden" not in str(raised.value)
