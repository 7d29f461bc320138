"""The whole grid as local processes on loopback, without Docker; the tests start it too."""
