"""Checks and times generated kernels on a GPU: python3 kernels.py FOLDER [OUT]

FOLDER is what the test Cases_can_be_written_for_a_machine_with_a_GPU writes: texts, launches, inputs (as seeds) and what the Reference device computes of them. Needs CuPy and NVRTC.
Each case is launched twice on poisoned memory: both results must be equal bit for bit, and near the reference. Timed cases report each launch's median over a CUDA graph of repetitions, with
the bytes of all buffers that it touches."""
import ctypes, ctypes.util, glob, json, multiprocessing, os, sys, time
import numpy as np

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "."
OUT = sys.argv[2] if len(sys.argv) > 2 else None
GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def compile_text(job):
    path, arch = job
    if compile_text.library is None:
        for name in ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"):
            try:
                compile_text.library = ctypes.CDLL(name)
                break
            except OSError:
                continue
    nvrtc, program = compile_text.library, ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), open(path, "rb").read(), os.path.basename(path).encode(), 0, None, None)
    options = [f"--gpu-architecture={arch}".encode(), b"--std=c++17", b"--ptxas-options=-v", f"-I{FOLDER}".encode()]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if status:
        return path, None, log.value.decode()
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    code = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, code)
    return path, code.raw, log.value.decode()


compile_text.library = None


def draw(state, kind, count):
    """The numbers of CaseRandom.Tensor, as bytes."""
    n = count if kind not in ("Int4", "UInt4") else (count + 1) // 2
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.uint64(GOLDEN) * np.arange(1, n + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    if kind in ("Int4", "UInt4"):
        return z.astype(np.uint8).tobytes()
    if kind in ("Float32", "Float64", "Float16", "BFloat16"):
        v = -2 + (z >> np.uint64(11)).astype(np.float64) * (1.0 / (1 << 53)) * 4
        if kind == "BFloat16":
            bits = v.astype(np.float32).view(np.uint32).astype(np.uint64)
            return ((bits + np.uint64(0x7FFF) + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype(np.uint16).tobytes()
        return v.astype({"Float32": np.float32, "Float64": np.float64, "Float16": np.float16}[kind]).tobytes()
    if kind == "Bool":
        return (z % np.uint64(2)).astype(np.uint8).tobytes()
    if kind.startswith("U"):
        return (z % np.uint64(100)).astype(getattr(np, kind.lower())).tobytes()
    return ((z % np.uint64(200)).astype(np.int64) - 100).astype(getattr(np, kind.lower())).tobytes()


def elements(raw, kind, places):
    if kind in ("Int4", "UInt4"):
        n = (raw[places // 2].astype(np.int64) >> (places % 2 * 4)) & 15
        return ((n ^ 8) - 8 if kind == "Int4" else n).astype(np.float64)
    if kind == "BFloat16":
        return (raw.view(np.uint16)[places].astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    kinds = {"Float32": np.float32, "Float64": np.float64, "Float16": np.float16, "Bool": np.uint8}
    return raw.view(kinds.get(kind) or getattr(np, kind.lower()))[places].astype(np.float64)


def main():
    texts = sorted(glob.glob(os.path.join(FOLDER, "*.cu")))
    start = time.time()
    with multiprocessing.get_context("fork").Pool() as pool:
        compiled = {os.path.basename(p)[:-3]: (code, log) for p, code, log in pool.imap_unordered(compile_text, [(t, "sm_90a") for t in texts], chunksize=4)}
    failed = [n for n, (code, _) in compiled.items() if code is None]
    spilled = [n for n, (_, log) in compiled.items() if " bytes spill stores" in log and " 0 bytes spill stores" not in log]
    print(f"compiled {len(texts)} texts in {time.time() - start:.1f} s, {len(failed)} failed, {len(spilled)} spill", flush=True)
    for name in failed[:3]:
        print(name, compiled[name][1][:2000])

    import cupy
    data = np.fromfile(os.path.join(FOLDER, "data.bin"), dtype=np.uint8)
    modules = {}

    def function(launch):
        key = launch["text"]
        if key not in modules:
            modules[key] = cupy.cuda.function.Module()
            modules[key].load(compiled[key][0])
        return modules[key].get_function(launch["function"])

    def arguments(launch, buffers):
        made = []
        for a in launch["arguments"]:
            if "buffer" in a:
                made.append(np.uint64(buffers[a["buffer"]].data.ptr + a["offset"]))
            elif "int32" in a:
                made.append(np.int32(a["int32"]))
            elif "int64" in a:
                made.append(np.int64(a["int64"]))
            else:
                made.append(np.float32(a["float32"]))
        return made

    def run(launch, buffers):
        function(launch)(tuple(launch["grid"]), tuple(launch["block"]), arguments(launch, buffers), shared_mem=launch["shared"])

    good, bad, timings = 0, [], []
    for case in json.load(open(os.path.join(FOLDER, "cases.json"))):
        if any(compiled[l["text"]][0] is None for l in case["launches"]):
            bad.append((case["name"], "does not compile"))
            continue
        if "output" not in case:
            timings.append(case)
            continue
        results = []
        for _ in range(2):
            buffers = []
            for b in case["buffers"]:
                host = np.full(b["bytes"] + 64, 0xA5, dtype=np.uint8)
                if "random" in b:
                    content = np.frombuffer(draw(int(b["random"][0]), b["random"][1], b["random"][2]), dtype=np.uint8)
                    host[: len(content)] = content
                elif "content" in b:
                    at, length = b["content"]
                    host[:length] = data[at : at + length]
                buffers.append(cupy.asarray(host))
            for launch in case["launches"]:
                run(launch, buffers)
            results.append(cupy.asnumpy(buffers[case["output"]["buffer"]]))
        o = case["output"]
        places = np.array(o["places"], dtype=np.int64)
        at, rest = np.full(len(places), o["offset"], dtype=np.int64), places.copy()
        for extent, stride in list(zip(o["shape"], o["strides"]))[::-1]:
            at += rest % extent * stride
            rest //= extent
        want = data[o["content"][0] : o["content"][0] + o["content"][1]].view(np.float64)
        have = elements(results[0], o["type"], at)
        scale = np.max(np.abs(want[np.isfinite(want)]), initial=0)
        with np.errstate(invalid="ignore"):
            wrong = ~((have == want) | (np.isnan(have) & np.isnan(want)) | (np.abs(have - want) <= case["tolerance"] * scale))
        if wrong.any():
            first = int(np.argmax(wrong))
            bad.append((case["name"], f"{int(wrong.sum())} of {len(want)} wrong; element {places[first]} is {have[first]!r}, not {want[first]!r}"))
        elif not np.array_equal(results[0], results[1]):
            bad.append((case["name"], "two runs differ"))
        elif not np.all(results[0][-64:] == 0xA5):
            bad.append((case["name"], "writes past its output"))
        else:
            good += 1
    print(f"{good} cases right, {len(bad)} wrong", flush=True)
    for name, why in bad[:40]:
        print(" ", name, why)

    rows = []
    stream = cupy.cuda.Stream(non_blocking=True)
    for case in timings:
        buffers = []
        for b in case["buffers"]:
            a = cupy.zeros(b["bytes"] + 256, dtype=cupy.uint8)
            buffers.append(a)
        for number, launch in enumerate(case["launches"]):
            touched = {a["buffer"] for a in launch["arguments"] if "buffer" in a}
            size = sum(case["buffers"][t]["bytes"] for t in touched)
            with stream:
                run(launch, buffers)
                stream.synchronize()
                repeat = 10
                stream.begin_capture()
                for _ in range(repeat):
                    run(launch, buffers)
                graph = stream.end_capture()
                graph.launch(stream)
                times = []
                for _ in range(7):
                    a, b = cupy.cuda.Event(), cupy.cuda.Event()
                    a.record(stream)
                    graph.launch(stream)
                    b.record(stream)
                    b.synchronize()
                    times.append(cupy.cuda.get_elapsed_time(a, b) / repeat * 1000)
            us = float(np.median(times))
            rows.append({"case": case["name"][5:], "launch": number, "kernel": launch["function"], "us": round(us, 2), "mb": round(size / 1e6, 2), "tb_s": round(size / us / 1e6, 3)})
            print(f"{case['name'][5:]:28} {number} {launch['function']:14} {us:10.2f} us {size / 1e6:9.2f} MB {size / us / 1e6:6.3f} TB/s", flush=True)
        del buffers
        cupy.get_default_memory_pool().free_all_blocks()
    if OUT:
        json.dump({"right": good, "wrong": bad, "texts": len(texts), "failed": failed, "spilled": spilled, "times": rows}, open(OUT, "w"), indent=1)


main()
