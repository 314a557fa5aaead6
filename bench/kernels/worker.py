"""Runs cases in a process of its own, because a trap ends the CUDA context; goes on behind the case that died."""
import json
import subprocess
import sys
import threading
import time


def run_cases(script, mode, count, budget):
    """The parent's side: starts `script mode i`, again after each death; returns results by index. The child prints {"at": i} before case i and {"case": i, …} after it."""
    results, start, end = {}, 0, time.time() + budget
    while start < count and time.time() < end:
        process = subprocess.Popen([sys.executable, script, mode, str(start)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen = [start, time.time()]

        def watch():
            while process.poll() is None:
                if time.time() > end or time.time() - seen[1] > 40:
                    process.kill()
                time.sleep(0.5)
        threading.Thread(target=watch, daemon=True).start()
        tail = []
        for line in process.stdout:
            if line.startswith("{"):
                r = json.loads(line)
                seen[:] = [r.get("at", r.get("case")), time.time()]
                if "case" in r:
                    results[r["case"]] = r
            else:
                tail = (tail + [line.rstrip()])[-3:]
        process.wait()
        if process.returncode == 0:
            break
        results.setdefault(seen[0], {"case": seen[0], "error": f"ended with {process.returncode}: " + " | ".join(tail)[-300:]})
        start = seen[0] + 1
    return results


def at(i):
    print(json.dumps({"at": i}), flush=True)


def done(i, **facts):
    print(json.dumps({"case": i, **facts}), flush=True)
