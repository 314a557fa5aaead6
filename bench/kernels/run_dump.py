"""Launches what HandMadeDump.cs wrote and compares with the Reference device: python3 bench/kernels/run_dump.py FOLDER"""
import ctypes as C
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gpu
import worker

ME = os.path.abspath(__file__)
TYPES = {"Float16": "tc::f16", "BFloat16": "tc::bf16", "Float32": "float", "Int8": "tc::s8"}


def whole(folder, name, seen):
    if name in seen:
        return ""
    seen.add(name)
    lines = []
    for line in open(os.path.join(folder, name), encoding="utf-8").read().splitlines():
        found = re.match(r'\s*#include "(.+)"', line)
        lines.append(whole(folder, found.group(1), seen) if found else "" if line.strip() == "#pragma once" else line)
    return "\n".join(lines) + "\n"


def child(folder, first):
    torch = gpu.start()
    cases = json.load(open(os.path.join(folder, "cases.json")))
    data = open(os.path.join(folder, "data.bin"), "rb").read()
    import pickle
    cubins = pickle.load(open(os.path.join(folder, "cubins.pickle"), "rb"))
    for i in range(first, len(cases)):
        case = cases[i]
        worker.at(i)
        if case["text"] not in cubins:
            worker.done(i, error="not compiled")
            continue
        buffers = []
        for b in case["buffers"]:
            if "content" in b:
                at, size = b["content"]
                buffers.append(torch.frombuffer(bytearray(data[at:at + size]), dtype=torch.uint8).cuda())
            else:
                buffers.append(torch.full((b["bytes"] + 256,), 0xff, dtype=torch.uint8, device="cuda"))
        arguments = []
        try:
            for a in case["arguments"]:
                if "buffer" in a:
                    arguments.append(C.c_void_p(buffers[a["buffer"]].data_ptr() + a["offset"]))
                elif "int64" in a:
                    arguments.append(C.c_longlong(a["int64"]))
                elif "int32" in a:
                    arguments.append(C.c_int(a["int32"]))
                elif "float32" in a:
                    arguments.append(C.c_float(a["float32"]))
                else:
                    address = buffers[a["map"]].data_ptr() + a["offset"]
                    if a["window"] is None:
                        arguments.append(gpu.tiled(TYPES[a["type"]], address, a["extents"], a["strides"], a["box"], a["swizzle"]))
                    else:
                        w = a["window"]
                        arguments.append(gpu.im2col(TYPES[a["type"]], address, a["extents"], a["strides"], w[0:2], w[2:4], w[4], w[5], a["steps"], a["swizzle"]))
        except RuntimeError as e:
            worker.done(i, error=str(e)[:300])
            continue
        kernel = gpu.Kernel(cubins[case["text"]], case["function"].encode(), case["shared"])
        gpu.Launch(kernel, case["grid"], case["block"], arguments, case["cluster"], case["programmatic"])(torch.cuda.current_stream().cuda_stream)
        torch.cuda.synchronize()
        o = case["output"]
        dtype = {"Float16": torch.float16, "BFloat16": torch.bfloat16, "Float32": torch.float32, "Int8": torch.int8}[o["type"]]
        got = torch.as_strided(buffers[o["buffer"]][:case["buffers"][o["buffer"]]["bytes"]].view(dtype), o["shape"], o["strides"], o["offset"]).double().cpu()
        at, size = o["content"]
        want = torch.frombuffer(bytearray(data[at:at + size]), dtype=dtype).reshape(o["shape"]).double()
        # As codegen's cases: of the largest magnitude, and of each value.
        error = ((got - want).abs() / (want.abs().max() + want.abs()) * 2).nan_to_num(nan=1e9).max().item()
        worker.done(i, error_=error)
        kernel.unload()


def main(folder):
    import pickle
    cases = json.load(open(os.path.join(folder, "cases.json")))
    texts = {t: whole(folder, t + ".cu", set()) for t in sorted({c["text"] for c in cases})}
    pickle.dump(gpu.compile_all(texts), open(os.path.join(folder, "cubins.pickle"), "wb"))
    results = worker.run_cases(ME, folder, len(cases), 60)
    good = 0
    for i, c in enumerate(cases):
        r = results.get(i)
        if r is None or "error" in r:
            print("ERROR", c["name"], c["tactic"], r and r["error"])
        elif not r["error_"] <= c["tolerance"]:
            print("WRONG", c["name"], c["tactic"], r["error_"], "of", c["tolerance"])
        else:
            good += 1
    print(f"{good} of {len(cases)} right")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        child(sys.argv[1], int(sys.argv[2]))
    else:
        main(sys.argv[1])
