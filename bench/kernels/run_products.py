"""Checks and times wgmma_gemm.cuh on a GPU of compute capability 9.0.

    python3 bench/kernels/run_products.py check             every case against double precision
    python3 bench/kernels/run_products.py time gemm|conv1|conv64|conv256 [SECONDS]
"""
import json
import os
import pickle
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gpu
import worker
from product_cases import checks, timings
from products import Data, prepare

CACHE = os.environ.get("KERNEL_CACHE", "/tmp/kernel-cache.pickle")
ME = os.path.abspath(__file__)


def compile_parent(variants):
    cache = pickle.load(open(CACHE, "rb")) if os.path.exists(CACHE) else {}
    texts = {}
    for v in variants:
        t = v.text()
        if t not in cache:
            texts[t] = t
    began = time.time()
    cache.update(gpu.compile_all(texts))
    pickle.dump(cache, open(CACHE, "wb"))
    print(f"{len(texts)} texts compiled in {time.time() - began:.1f} s", flush=True)


def check_child(first):
    torch = gpu.start()
    cache = pickle.load(open(CACHE, "rb"))
    cases = checks()
    data, reference, last = None, None, None
    for i in range(first, len(cases)):
        p, v = cases[i]
        worker.at(i)
        if v.text() not in cache:
            worker.done(i, error="not compiled")
            continue
        key = repr(p)
        if key != last:
            data = Data(torch, p, seed=i)
            reference = data.reference(torch)
            last = key
        data.whole.fill_(77 if p.out == "tc::s8" else float("nan"))
        kernel = gpu.Kernel(cache[v.text()], shared=v.shared)
        try:
            launch = prepare(kernel, v, data)
            launch(torch.cuda.current_stream().cuda_stream)
            torch.cuda.synchronize()
        except RuntimeError as e:
            if "map" in str(e):
                worker.done(i, error=str(e)[:200])
                continue
            raise
        got = data.y.double()
        error = ((got - reference).norm() / reference.norm()).item()
        largest = ((got - reference).abs().max() / reference.abs().max()).item()
        rest = data.whole[..., p.cols:]
        untouched = bool((rest == 77).all() if p.out == "tc::s8" else rest.isnan().all()) if p.y_extra else True
        bad = int((~((got - reference).abs() <= 0.02 * reference.abs().max())).sum())
        where = ""
        if bad:
            w = (~((got - reference).abs() <= 0.02 * reference.abs().max())).nonzero()
            where = f"first {w[0].tolist()} last {w[-1].tolist()}"
        worker.done(i, relative=error, largest=largest, untouched=untouched, bad=bad, of=got.numel(), where=where)
        kernel.unload()


TOLERANCE = {"tc::f16": 1e-3, "tc::bf16": 6e-3, "float": 2e-3, "tc::s8": 2e-2}


def check_parent(budget):
    cases = checks()
    compile_parent([v for _, v in cases])
    results = worker.run_cases(ME, "check-child", len(cases), budget)
    good = 0
    for i, (p, v) in enumerate(cases):
        r = results.get(i)
        tolerance = TOLERANCE["float" if p.type == "float" else p.out if p.out != "float" else "float"]
        if r is None:
            print(f"NOT RUN {i} {p.label} {v.name}")
        elif "error" in r:
            print(f"ERROR {p.label} {v.name}: {r['error']}")
        elif not (r["relative"] < tolerance) or not r["untouched"]:
            print(f"WRONG {p.label} {v.name}: relative {r['relative']:.3g}, largest {r['largest']:.3g}, {r['bad']} of {r['of']} bad, {r['where']}{'' if r['untouched'] else ', wrote outside'}")
        else:
            good += 1
    print(f"{good} of {len(cases)} right", flush=True)


def library(torch, p, sets):
    """What PyTorch offers for nearly the same: the product with bias, with bias and tanh-GELU, or with a residual (and no bias); cuDNN's fused convolution."""
    import torch.nn.functional as F
    calls = []
    for d in sets:
        if p.conv:
            n, h, w, c, k, r, s, st, pad, dil = p.conv
            x, wt = d.x.permute(0, 3, 1, 2), d.w.permute(0, 3, 1, 2)
            bias = d.ops[-1].half()
            if p.epilogue == "residual_relu":
                z = d.ops[0].reshape(n, p.p, p.q, k).permute(0, 3, 1, 2)
                calls.append(lambda _, x=x, wt=wt, z=z, bias=bias: torch.cudnn_convolution_add_relu(x, wt, z, 1.0, bias, (st, st), (pad, pad), (dil, dil), 1))
            else:
                calls.append(lambda _, x=x, wt=wt, bias=bias: torch.cudnn_convolution_relu(x, wt, bias, (st, st), (pad, pad), (dil, dil), 1))
        else:
            x, wt = d.x[0, 0], d.w[0, 0]
            bias = d.ops[-1].half()
            if "residual" in p.epilogue:
                calls.append(lambda _, x=x, wt=wt, z=d.ops[0][0, 0]: torch.addmm(z, x, wt.t()))
            elif p.epilogue == "gelu":
                calls.append(lambda _, x=x, wt=wt, bias=bias: torch._addmm_activation(bias, x, wt.t(), use_gelu=True))
            else:
                calls.append(lambda _, x=x, wt=wt, bias=bias: F.linear(x, wt, bias))
    return calls


def time_child(part, first):
    torch = gpu.start()
    torch.backends.cudnn.benchmark = True
    cache = pickle.load(open(CACHE, "rb"))
    work = timings(part)
    flat = 0
    for p, variants in work:
        if flat + len(variants) + 1 <= first:
            flat += len(variants) + 1
            continue
        one = Data(torch, p)
        count = max(2, min(48, int(160e6 / one.bytes) + 1))
        sets = [one] + [Data(torch, p, seed=i + 1) for i in range(count - 1)]
        repeat = max(1, 24 // count)
        reference = one.reference(torch) if p.flops < 3e11 else None
        for v in [None, *variants]:
            if flat < first:
                flat += 1
                continue
            worker.at(flat)
            if v is None:
                worker.done(flat, us=gpu.time_graph(torch, library(torch, p, sets), repeat=repeat))
            elif v.text() not in cache:
                worker.done(flat, error="not compiled")
            else:
                kernel = gpu.Kernel(cache[v.text()], shared=v.shared)
                launches = [prepare(kernel, v, d) for d in sets]
                one.whole.fill_(77 if p.out == "tc::s8" else float("nan"))
                us = gpu.time_graph(torch, launches, repeat=repeat)
                error = ((one.y.double() - reference).norm() / reference.norm()).item() if reference is not None else 0
                worker.done(flat, us=us, relative=error, clusters=kernel.clusters(v.threads, 2) if v.multicast else 0)
                kernel.unload()
            flat += 1
        del sets, one


def time_parent(part, budget):
    work = timings(part)
    compile_parent([v for _, vs in work for v in vs])
    results = worker.run_cases(ME, "time-child-" + part, sum(len(v) + 1 for _, v in work), budget)
    print(json.dumps(gpu_name()))
    flat, full = 0, []
    for p, variants in work:
        lib = results.get(flat, {})
        flat += 1
        rows = []
        for v in variants:
            r = results.get(flat)
            flat += 1
            if r and "us" in r and r["relative"] < 0.01:
                rows.append((r["us"], v.name + (f"({r['clusters']})" if r["clusters"] else "")))
            elif r and "us" in r:
                print("WRONG", p.label, v.name, r["relative"])
            elif r:
                print("ERROR", p.label, v.name, r["error"][:160])
        rows.sort()
        full.append(dict(problem=p.label, library=lib.get("us"), variants=rows))
        gb = (p.rows * p.cols * 2 * (2 if "residual" in p.epilogue else 1) + (p.conv[0] * p.conv[1] * p.conv[2] * p.conv[3] if p.conv else p.rows * p.k) * 2 + p.cols * p.k * 2) / 1e9
        best = rows[0][0] if rows else float("nan")
        print(f"{p.label:44s} lib {lib.get('us') or float('nan'):7.2f}  best {best:7.2f} us {p.flops / best / 1e6:5.0f} TF {gb / best * 1e3:5.2f} TB/s | " + "  ".join(f"{n} {u:.2f}" for u, n in rows[:6]), flush=True)
    if os.path.isdir("out"):
        json.dump(full, open(f"out/{part}.json", "w"), indent=0)


def gpu_name():
    import subprocess
    return subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,clocks.sm", "--format=csv,noheader"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    mode = sys.argv[1]
    if mode == "check":
        check_parent(float(sys.argv[2]) if len(sys.argv) > 2 else 120)
    elif mode == "check-child":
        check_child(int(sys.argv[2]))
    elif mode == "time":
        time_parent(sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 120)
    elif mode.startswith("time-child-"):
        time_child(mode[11:], int(sys.argv[2]))
