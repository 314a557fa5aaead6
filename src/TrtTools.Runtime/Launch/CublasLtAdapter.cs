using System.Globalization;
using TrtTools.Cuda;

namespace TrtTools.Launch;

/// <summary>
/// Matrix products by cuBLASLt. Operation "matmul": D = epilogue(alpha·op(A)·op(B) + beta·C + bias), all matrices column-major. Operands: A, B, D, then bias, C and the vector of
/// alphas where the settings ask for them, then the workspace. Extents: m, n, k, the leading dimensions of A, B, C, D, the batch count, the batch strides of A, B, C, D.
/// Settings: a, b, d (types f32, f16, bf16, i8, i32), transpose ("TN"), compute (f32, tf32, i32), epilogue ("bias,relu"), beta (1: C is added), alpha (a number), alphas (1: one
/// for each row of D), align (bytes that the addresses of A, B, C, D are multiples of).
/// </summary>
internal sealed unsafe class CublasLtAdapter : ILibraryAdapter
{
    public const string Library = "cublasLt", Operation = "matmul";

    private nint _handle = CublasLt.Create();

    public string Version => CublasLt.Version;

    public IPreparedCall Prepare(LibraryRequest request)
    {
        if (!string.Equals(request.Operation, Operation, StringComparison.Ordinal)) throw Refuse(request, $"it does not know the operation '{request.Operation}'");
        Product product = Describe(request);
        if (product.IsEmpty) return product;
        try
        {
            bool known = request.Algorithm.Length > 0 && string.Equals(request.Version, Version, StringComparison.Ordinal)
                && product.Check(_handle, request.Algorithm.Span) is { } needed && needed <= request.WorkspaceBytes;
            product.Algorithm = known ? request.Algorithm.ToArray()
                : product.Heuristics(_handle, request.WorkspaceBytes, 1).FirstOrDefault()?.Data ?? throw Refuse(request, $"it has no algorithm for {product} in {request.WorkspaceBytes:N0} bytes of workspace");
            return product;
        }
        catch
        {
            product.Dispose();
            throw;
        }
    }

    public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count)
    {
        using Product product = Describe(request);
        return product.IsEmpty ? [] : [.. product.Heuristics(_handle, request.WorkspaceBytes, count).Select(a => new LibraryCandidate(a.Data, a.WorkspaceBytes))];
    }

    public void Dispose()
    {
        if (_handle != 0) CublasLt.Destroy(_handle);
        _handle = 0;
    }

    private Product Describe(LibraryRequest request)
    {
        try
        {
            return new Product(this, request);
        }
        catch (CudaLibraryException e)
        {
            throw Refuse(request, e.Message);
        }
    }

    private static TrtToolsException Refuse(LibraryRequest request, string found) => new(ErrorCode.EngineIncompatible, request.Subject.Length > 0 ? request.Subject : "cuBLASLt", $"cuBLASLt: {found}", "",
        "Build the engine again on this machine, or with -NoLibrary");

    private sealed class Product : IPreparedCall
    {
        private readonly CublasLtAdapter _owner;
        private readonly LibraryRequest _request;
        private readonly bool _hasBias, _hasC, _hasAlphas, _integerScale;
        private readonly float _alpha, _beta;
        private readonly (int A, int B, int C, int D) _alignment;
        private nint _product, _a, _b, _c, _d;
        private ulong _bias;

        public Product(CublasLtAdapter owner, LibraryRequest request)
        {
            (_owner, _request) = (owner, request);
            IReadOnlyList<long> e = request.Extents;
            if (e.Count != 12) throw Refuse(request, $"a product has 12 extents, not {e.Count}");
            (long m, long n, long k, long batch) = (e[0], e[1], e[2], e[7]);
            IsEmpty = m == 0 || n == 0 || batch == 0;
            string[] epilogue = Setting("epilogue", "").Split(',', StringSplitOptions.RemoveEmptyEntries);
            (_hasBias, _hasC, _hasAlphas) = (epilogue.Contains("bias"), Setting("beta", "0") == "1", Setting("alphas", "0") == "1");
            _alpha = float.Parse(Setting("alpha", "1"), CultureInfo.InvariantCulture);
            _beta = _hasC ? 1 : 0;
            int[] align = [.. Setting("align", "16,16,16,16").Split(',').Select(t => int.Parse(t, CultureInfo.InvariantCulture))];
            _alignment = (align[0], align[1], align[2], align[3]);
            if (IsEmpty) return;
            string transpose = Setting("transpose", "NN");
            bool ta = transpose[0] == 'T', tb = transpose[1] == 'T';
            CublasCompute compute = Setting("compute", "f32") switch { "tf32" => CublasCompute.F32FastTf32, "i32" => CublasCompute.I32, _ => Setting("a", "") == "f32" ? CublasCompute.F32Pedantic : CublasCompute.F32 };
            CublasType d = TypeOf("d");
            _integerScale = compute == CublasCompute.I32 && d == CublasType.R32I;
            CublasEpilogue flags = epilogue.Aggregate((CublasEpilogue)0, (f, name) => f | name switch { "bias" => CublasEpilogue.Bias, "relu" => CublasEpilogue.Relu, "gelu" => CublasEpilogue.Gelu, _ => throw Refuse(request, $"it has no epilogue '{name}'") });
            try
            {
                _product = CublasLt.CreateProduct(compute, _integerScale ? CublasType.R32I : CublasType.R32F, ta, tb, flags == 0 ? CublasEpilogue.Default : flags);
                if (_hasAlphas) CublasLt.SetAlphaVector(_product);
                _a = CublasLt.CreateLayout(TypeOf("a"), ta ? k : m, ta ? m : k, e[3], batch, e[8]);
                _b = CublasLt.CreateLayout(TypeOf("b"), tb ? n : k, tb ? k : n, e[4], batch, e[9]);
                _c = CublasLt.CreateLayout(d, m, n, _hasC ? e[5] : e[6], batch, _hasC ? e[10] : e[11]);
                _d = CublasLt.CreateLayout(d, m, n, e[6], batch, e[11]);
                // The candidates depend on the bias's alignment, not on where it is.
                if (_hasBias) CublasLt.SetBias(_product, _bias = 256);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public bool IsEmpty { get; }

        public byte[] Algorithm { get; set; } = [];

        public long? Check(nint handle, ReadOnlySpan<byte> algorithm) => CublasLt.CheckAlgorithm(handle, _product, _a, _b, _c, _d, algorithm);

        public IReadOnlyList<CublasAlgorithm> Heuristics(nint handle, long workspace, int count) => CublasLt.Heuristics(handle, _product, _a, _b, _c, _d, workspace, count, _alignment);

        public void Enqueue(ReadOnlySpan<ulong> operands, nint stream)
        {
            if (IsEmpty) return;
            int at = 3;
            ulong bias = _hasBias ? operands[at++] : 0, c = _hasC ? operands[at++] : operands[2], alphas = _hasAlphas ? operands[at++] : 0;
            ulong workspace = _request.WorkspaceBytes > 0 ? operands[at] : 0;
            if (_hasBias && bias != _bias) CublasLt.SetBias(_product, _bias = bias);
            float alpha = _alpha, beta = _beta;
            int whole = (int)_alpha, none = (int)_beta;
            fixed (byte* algorithm = Algorithm)
            {
                void* first = _hasAlphas ? (void*)alphas : _integerScale ? &whole : &alpha;
                CublasLt.Enqueue(_owner._handle, _product, first, operands[0], _a, operands[1], _b, _integerScale ? &none : &beta, c, _c, operands[2], _d,
                    algorithm, workspace, _request.WorkspaceBytes, stream, $"{_request.Subject}: {this}");
            }
        }

        public void Dispose()
        {
            if (_product != 0) CublasLt.DestroyProduct(_product);
            foreach (nint layout in new[] { _a, _b, _c, _d }) if (layout != 0) CublasLt.DestroyLayout(layout);
            _product = _a = _b = _c = _d = 0;
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_request.Extents[0]}x{_request.Extents[1]}x{_request.Extents[2]}, batch {_request.Extents[7]}, {Setting("a", "")} to {Setting("d", "")} {Setting("transpose", "")} {Setting("epilogue", "")}").TrimEnd();

        private CublasType TypeOf(string key) => Setting(key, "") switch
        {
            "f32" => CublasType.R32F, "f16" => CublasType.R16F, "bf16" => CublasType.R16BF, "i8" => CublasType.R8I, "i32" => CublasType.R32I, string other => throw Refuse(_request, $"it has no type '{other}'"),
        };

        private string Setting(string key, string otherwise) => _request.Settings.TryGetValue(key, out string? value) ? value : otherwise;
    }
}
