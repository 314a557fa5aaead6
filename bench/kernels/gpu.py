"""The driver and NVRTC by ctypes: compiling in parallel, tensor maps, launches with clusters and programmatic dependency, timing by graph replay."""
import ctypes as C
import glob
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

cuda = None
nvrtc = None


def find_nvrtc():
    global nvrtc
    if nvrtc is None:
        for name in ("libnvrtc.so.13", "libnvrtc.so.12", *glob.glob("/usr/local/cuda*/lib64/libnvrtc.so.1?"), *glob.glob("/opt/torch/.venv/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1?")):
            try:
                nvrtc = C.CDLL(name)
                break
            except OSError:
                pass
        if nvrtc is None:
            raise RuntimeError("no NVRTC")
    return nvrtc


def compile_text(text, arch="sm_90a"):
    """(cubin or None, log, seconds)"""
    nv = find_nvrtc()
    program = C.c_void_p()
    assert nv.nvrtcCreateProgram(C.byref(program), text.encode(), b"kernel.cu", 0, None, None) == 0
    options = [f"--gpu-architecture={arch}", "-std=c++17", "--ptxas-options=-v", "-default-device"]
    array = (C.c_char_p * len(options))(*[o.encode() for o in options])
    start = time.time()
    failed = nv.nvrtcCompileProgram(program, len(options), array)
    seconds = time.time() - start
    n = C.c_size_t()
    nv.nvrtcGetProgramLogSize(program, C.byref(n))
    log = C.create_string_buffer(n.value)
    nv.nvrtcGetProgramLog(program, log)
    cubin = None
    if not failed:
        nv.nvrtcGetCUBINSize(program, C.byref(n))
        buffer = C.create_string_buffer(n.value)
        nv.nvrtcGetCUBIN(program, buffer)
        cubin = buffer.raw
    nv.nvrtcDestroyProgram(C.byref(program))
    return cubin, log.value.decode(errors="replace"), seconds


def compile_all(texts, arch="sm_90a", workers=14):
    """{key: text} to {key: cubin}; failures and serialized wgmma are printed."""
    done = {}
    with ThreadPoolExecutor(workers) as pool:
        for key, (cubin, log, _) in zip(texts, pool.map(lambda t: compile_text(t, arch), texts.values())):
            bad = [l for l in log.splitlines() if "error" in l or "C75" in l]
            if cubin is None or bad:
                print("COMPILE", key, bad[:4] or log[:400], flush=True)
            if cubin is not None:
                done[key] = cubin
    return done


def check(result, what):
    if result != 0:
        text = C.c_char_p()
        cuda.cuGetErrorName(result, C.byref(text))
        raise RuntimeError(f"{what}: {text.value.decode() if text.value else result}")


def start():
    global cuda
    import torch
    cuda = C.CDLL("libcuda.so.1")
    torch.zeros(1, device="cuda")
    return torch


DTYPES = {"tc::f16": 6, "tc::bf16": 9, "float": 7, "tc::s8": 0}
SWIZZLE = {0: 0, 32: 1, 64: 2, 128: 3}


class Map(C.Structure):
    _fields_ = [("words", C.c_uint64 * 16)]


def aligned_map():
    raw = C.create_string_buffer(192)
    address = (C.addressof(raw) + 63) & ~63
    m = Map.from_address(address)
    m._keep = raw
    return m


def tiled(dtype, address, dims, strides, box, swizzle, promotion=3):
    m = aligned_map()
    r = len(dims)
    check(cuda.cuTensorMapEncodeTiled(C.byref(m), DTYPES[dtype], r, C.c_void_p(address), (C.c_uint64 * r)(*dims), (C.c_uint64 * (r - 1))(*strides), (C.c_uint32 * r)(*box),
                                      (C.c_uint32 * r)(*[1] * r), 0, SWIZZLE[swizzle], promotion, 0), f"tiled map {dims} {strides} {box}")
    return m


def im2col(dtype, address, dims, strides, lower, upper, channels, pixels, steps, swizzle, promotion=3):
    m = aligned_map()
    r = len(dims)
    check(cuda.cuTensorMapEncodeIm2col(C.byref(m), DTYPES[dtype], r, C.c_void_p(address), (C.c_uint64 * r)(*dims), (C.c_uint64 * (r - 1))(*strides), (C.c_int * (r - 2))(*lower), (C.c_int * (r - 2))(*upper),
                                       C.c_uint32(channels), C.c_uint32(pixels), (C.c_uint32 * r)(*steps), 0, SWIZZLE[swizzle], promotion, 0), f"im2col map {dims} {lower} {upper}")
    return m


class Attribute(C.Structure):
    _fields_ = [("id", C.c_uint32), ("pad", C.c_uint32), ("value", C.c_uint32 * 16)]


class Config(C.Structure):
    _fields_ = [("grid", C.c_uint32 * 3), ("block", C.c_uint32 * 3), ("shared", C.c_uint32), ("stream", C.c_void_p), ("attributes", C.c_void_p), ("count", C.c_uint32)]


class Kernel:
    def __init__(self, cubin, name=b"kernel", shared=0):
        self.module, self.function = C.c_void_p(), C.c_void_p()
        check(cuda.cuModuleLoadData(C.byref(self.module), cubin), "cuModuleLoadData")
        check(cuda.cuModuleGetFunction(C.byref(self.function), self.module, name), "cuModuleGetFunction")
        self.shared = shared
        if shared > 48 * 1024:
            check(cuda.cuFuncSetAttribute(self.function, 8, shared), f"{shared} bytes of shared memory")

    def blocks(self, threads):
        n = C.c_int()
        check(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(C.byref(n), self.function, threads, C.c_size_t(self.shared)), "occupancy")
        return n.value

    def clusters(self, threads, size):
        config = Config()
        config.grid[:] = (132 // size * size, 1, 1)
        config.block[:] = (threads, 1, 1)
        config.shared = self.shared
        attributes = (Attribute * 1)()
        attributes[0].id = 4
        attributes[0].value[0:3] = (size, 1, 1)
        config.attributes = C.cast(attributes, C.c_void_p)
        config.count = 1
        n = C.c_int()
        check(cuda.cuOccupancyMaxActiveClusters(C.byref(n), self.function, C.byref(config)), "clusters")
        return n.value

    def unload(self):
        cuda.cuModuleUnload(self.module)


class Launch:
    """A kernel with its arguments, ready to go."""
    def __init__(self, kernel, grid, block, arguments, cluster=1, programmatic=False):
        self.kernel, self.grid, self.block, self.cluster, self.programmatic = kernel, grid, block, cluster, programmatic
        self.values = arguments
        self.pointers = (C.c_void_p * len(arguments))(*[C.addressof(a) for a in arguments])

    def __call__(self, stream):
        config = Config()
        config.grid[:] = (list(self.grid) + [1, 1])[:3]
        config.block[:] = (self.block, 1, 1)
        config.shared = self.kernel.shared
        config.stream = stream
        attributes = (Attribute * 2)()
        n = 0
        if self.cluster > 1:
            attributes[n].id = 4
            attributes[n].value[0:3] = (self.cluster, 1, 1)
            n += 1
        if self.programmatic:
            attributes[n].id = 6
            attributes[n].value[0] = 1
            n += 1
        config.attributes = C.cast(attributes, C.c_void_p)
        config.count = n
        check(cuda.cuLaunchKernelEx(C.byref(config), self.kernel.function, self.pointers, None), "cuLaunchKernelEx")


def pointer(tensor):
    return C.c_void_p(tensor.data_ptr() if tensor is not None else 0)


def time_graph(torch, calls, replays=12, repeat=1):
    """Median microseconds of one of the calls (functions of a stream), all captured in one graph."""
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for call in calls[:3]:
            call(side.cuda_stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        stream = torch.cuda.current_stream().cuda_stream
        for _ in range(repeat):
            for call in calls:
                call(stream)
    for _ in range(2):
        graph.replay()
    torch.cuda.synchronize()
    times = []
    for _ in range(replays):
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        a.record()
        graph.replay()
        b.record()
        torch.cuda.synchronize()
        times.append(a.elapsed_time(b))
    times.sort()
    del graph
    return times[len(times) // 2] * 1000 / (len(calls) * repeat)
