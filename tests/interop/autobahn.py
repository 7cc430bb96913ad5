"""The cases 1 to 7 and 10 of the Autobahn suite, as kosoku runs them: ECHO_ADDRESS=host:port/echo python autobahn.py."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

CASES = [option for chapter in (1, 2, 3, 4, 5, 6, 7, 10) for option in ("-i", f"{chapter}.*")]
GOOD = {"OK", "INFORMATIONAL"}

with tempfile.TemporaryDirectory() as folder:
    kosoku = pathlib.Path(sys.executable).with_name("kosoku")
    run = subprocess.run([kosoku, "-m", "fuzzingclient", *CASES, "-o", folder, os.environ["ECHO_ADDRESS"]],
                         capture_output=True, text=True, timeout=300)
    index = pathlib.Path(folder, "index.json")
    if not index.exists():
        sys.exit(f"kosoku has no result:\n{run.stdout}\n{run.stderr}")
    (cases,) = json.loads(index.read_text()).values()

bad = {name: case for name, case in cases.items()
       if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD}
for name, case in bad.items():
    print(f"not ok - {name}: {case['behavior']}, close {case['behaviorClose']}")
print(f"{len(cases) - len(bad)} of {len(cases)} cases hold")
sys.exit(bool(bad) or len(cases) < 240)
