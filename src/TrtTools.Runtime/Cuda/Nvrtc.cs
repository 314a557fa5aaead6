using System.Runtime.InteropServices;
using System.Text;

namespace TrtTools.Cuda;

/// <summary>NVIDIA's run-time compiler, 12 or 13. Safe to use from several threads at once.</summary>
internal sealed unsafe class Nvrtc
{
    private const int Success = 0, CompilationError = 6;
    private static readonly Lazy<Nvrtc> Instance = new(() => new Nvrtc(CudaLibraries.Require(CudaLibraries.Nvrtc)), LazyThreadSafetyMode.PublicationOnly);

    private readonly delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int> _createProgram;
    private readonly delegate* unmanaged<nint*, int> _destroyProgram;
    private readonly delegate* unmanaged<nint, int, byte**, int> _compileProgram;
    private readonly delegate* unmanaged<nint, nuint*, int> _getLogSize, _getCubinSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getLog, _getCubin;
    private readonly delegate* unmanaged<int, byte*> _getErrorString;

    private Nvrtc(LoadedLibrary library)
    {
        Library = library;
        _createProgram = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)library.Export("nvrtcCreateProgram");
        _destroyProgram = (delegate* unmanaged<nint*, int>)library.Export("nvrtcDestroyProgram");
        _compileProgram = (delegate* unmanaged<nint, int, byte**, int>)library.Export("nvrtcCompileProgram");
        _getLogSize = (delegate* unmanaged<nint, nuint*, int>)library.Export("nvrtcGetProgramLogSize");
        _getLog = (delegate* unmanaged<nint, byte*, int>)library.Export("nvrtcGetProgramLog");
        _getCubinSize = (delegate* unmanaged<nint, nuint*, int>)library.Export("nvrtcGetCUBINSize");
        _getCubin = (delegate* unmanaged<nint, byte*, int>)library.Export("nvrtcGetCUBIN");
        _getErrorString = (delegate* unmanaged<int, byte*>)library.Export("nvrtcGetErrorString");
        int major = 0, minor = 0;
        Check(((delegate* unmanaged<int*, int*, int>)library.Export("nvrtcVersion"))(&major, &minor), "nvrtcVersion");
        Version = new Version(major, minor);
        int count = 0;
        Check(((delegate* unmanaged<int*, int>)library.Export("nvrtcGetNumSupportedArchs"))(&count), "nvrtcGetNumSupportedArchs");
        int[] architectures = new int[count];
        fixed (int* first = architectures) Check(((delegate* unmanaged<int*, int>)library.Export("nvrtcGetSupportedArchs"))(first), "nvrtcGetSupportedArchs");
        Architectures = architectures;
    }

    /// <summary>The compiler; an error says how to install it where it is missing.</summary>
    public static Nvrtc Current => Instance.Value;

    /// <summary>False where no NVRTC was found.</summary>
    public static bool IsAvailable => CudaLibraries.Find(CudaLibraries.Nvrtc) is not null;

    public LoadedLibrary Library { get; }

    /// <summary>Such as 12.4 or 13.0; part of every key that a compiled kernel is cached under.</summary>
    public Version Version { get; }

    /// <summary>Compute capabilities it compiles for: 80, 89, 90 …</summary>
    public IReadOnlyList<int> Architectures { get; }

    /// <summary>Compiles to machine code. A text that does not compile is an error that holds the compiler's log.</summary>
    /// <param name="name">The text's name in messages of the compiler: a file's name.</param>
    /// <param name="headers">What the text may include: name → text.</param>
    /// <param name="options">Such as "--gpu-architecture=sm_90a", a real architecture.</param>
    public CompiledKernel Compile(string text, string name, IReadOnlyDictionary<string, string> headers, params IReadOnlyList<string> options)
    {
        CompiledKernel compiled = TryCompile(text, name, headers, options);
        return compiled.Succeeded ? compiled
            : throw new TrtToolsException(ErrorCode.InternalError, $"Kernel '{name}'", $"NVRTC {Version} does not compile it ({string.Join(' ', options)})", compiled.Log.Trim(), "Report it with the model");
    }

    /// <summary>Compiles to machine code; where the text does not compile, the result holds no code and the log says why.</summary>
    public CompiledKernel TryCompile(string text, string name, IReadOnlyDictionary<string, string> headers, params IReadOnlyList<string> options)
    {
        nint program = 0;
        using Utf8Texts names = new([.. headers.Keys.Order(StringComparer.Ordinal)]), texts = new([.. headers.OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => h.Value)]), flags = new(options), source = new([text, name]);
        Check(_createProgram(&program, source.Pointers[0], source.Pointers[1], headers.Count, texts.Pointers, names.Pointers), "nvrtcCreateProgram");
        try
        {
            int status = _compileProgram(program, options.Count, flags.Pointers);
            string log = ReadLog(program);
            // Whatever the log explains is the text's or the options' fault; the rest is the library's.
            if (status != Success && status != CompilationError && log.Length == 0) Check(status, $"nvrtcCompileProgram ({name})");
            if (status != Success) return new CompiledKernel(null, log);
            nuint size = 0;
            Check(_getCubinSize(program, &size), "nvrtcGetCUBINSize");
            if (size == 0) throw new ArgumentException("Machine code needs a real architecture: --gpu-architecture=sm_…", nameof(options));
            byte[] cubin = new byte[size];
            fixed (byte* first = cubin) Check(_getCubin(program, first), "nvrtcGetCUBIN");
            return new CompiledKernel(cubin, log);
        }
        finally
        {
            _destroyProgram(&program);
        }
    }

    private string ReadLog(nint program)
    {
        nuint size = 0;
        Check(_getLogSize(program, &size), "nvrtcGetProgramLogSize");
        if (size <= 1) return "";
        byte[] log = new byte[size];
        fixed (byte* first = log) Check(_getLog(program, first), "nvrtcGetProgramLog");
        return Encoding.UTF8.GetString(log.AsSpan(0, (int)size - 1));
    }

    private void Check(int status, string call)
    {
        if (status == Success) return;
        string word = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(_getErrorString(status)));
        throw new TrtToolsException(ErrorCode.InternalError, call, word, "", $"Check the installation of NVRTC {Library.Version} ({Library.Path})");
    }

    /// <summary>Zero-terminated UTF-8 texts in native memory.</summary>
    private sealed class Utf8Texts : IDisposable
    {
        private readonly int _count;

        public Utf8Texts(IReadOnlyList<string> texts)
        {
            _count = texts.Count;
            Pointers = (byte**)NativeMemory.AllocZeroed((nuint)Math.Max(1, _count), (nuint)sizeof(byte*));
            for (int i = 0; i < _count; i++) Pointers[i] = (byte*)Marshal.StringToCoTaskMemUTF8(texts[i]);
        }

        public byte** Pointers { get; }

        public void Dispose()
        {
            for (int i = 0; i < _count; i++) Marshal.FreeCoTaskMem((nint)Pointers[i]);
            NativeMemory.Free(Pointers);
        }
    }
}

/// <param name="Cubin">Machine code; null where the text did not compile.</param>
/// <param name="Log">The compiler's errors, warnings and, with --ptxas-options=-v, registers and spills.</param>
internal sealed record CompiledKernel(byte[]? Cubin, string Log)
{
    public bool Succeeded => Cubin is not null;
}
