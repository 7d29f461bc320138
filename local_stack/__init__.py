"""The whole grid as local processes on loopback, without Docker; also used by the tests."""
