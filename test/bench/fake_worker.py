"""fake_worker.py HOW: speaks the protocol of a worker, well or in one of the wrong ways."""
import json
import os
import sys
import time

how = sys.argv[1]
if how == "refuses":
    sys.exit("fake: error: expected an op, found nothing")
print(json.dumps({"ready": True, "threads": len(os.sched_getaffinity(0))}), flush=True)
count = 0
for line in sys.stdin:
    count += 1
    if how == "fails" and count == 2:
        print(json.dumps({"failed": "RuntimeError: out of luck"}), flush=True)
    elif how == "garbage":
        print("not JSON", flush=True)
    elif how == "dies" and count == 2:
        os.kill(os.getpid(), 9)
    elif how == "hangs":
        time.sleep(60)
    else:
        print(json.dumps({"ms": float(count)}), flush=True)
