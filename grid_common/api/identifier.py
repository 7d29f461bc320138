"""The form of IDs: of sessions, vehicles, requests and owners."""

import re

ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
ID_HELP = "1 to 64 characters of A-Z a-z 0-9 . _ : -"
