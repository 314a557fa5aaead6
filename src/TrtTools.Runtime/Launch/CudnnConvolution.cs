using System.Globalization;
using System.Text;
using TrtTools.Cuda;

namespace TrtTools.Launch;

/// <summary>One convolution with its epilogue as an operation graph of cuDNN, for one shape signature. Not for two threads at a time.</summary>
internal sealed class CudnnConvolution : IPreparedCall
{
    private readonly LibraryRequest _request;
    private readonly nint _library;
    private readonly Action<nint> _setStream;
    private readonly List<CudnnDescriptor> _owned = [];
    private readonly int _operands;
    private readonly bool _exactFloats;
    private readonly CudnnDescriptor? _graph;
    private CudnnDescriptor? _plan, _pack;
    private ulong[] _addresses = [];

    /// <param name="setStream">Makes a stream the handle's own.</param>
    public CudnnConvolution(LibraryRequest request, nint library, Action<nint> setStream)
    {
        (_request, _library, _setStream) = (request, library, setStream);
        int rank = Number("rank"), before = Number("before"), after = Number("after");
        _operands = 3 + before + after;
        IReadOnlyList<long> e = request.Extents;
        if (e.Count != 2 * rank * _operands) throw Refuse($"a convolution of rank {rank} with {before + after} addends has {2 * rank * _operands} extents, not {e.Count}");
        string[] types = Text("types").Split(','), align = Text("align").Split(',');
        _exactFloats = types[0] == "f32" && Text("tf32") != "1";
        IsEmpty = e.Skip(4 * rank).Take(rank).Contains(0);
        if (IsEmpty) return;
        try
        {
            CudnnDescriptor[] tensors = [.. Enumerable.Range(0, _operands).Select(i => Tensor(i + 1, TypeOf(types[i]), [.. e.Skip(2 * rank * i).Take(rank)], [.. e.Skip((2 * rank * i) + rank).Take(rank)], int.Parse(align[i], CultureInfo.InvariantCulture), false))];
            long[] dims = [.. e.Skip(4 * rank).Take(rank)], strides = [.. e.Skip(5 * rank).Take(rank)];
            List<CudnnDescriptor> operations = [];
            int steps = before + after + (Text("activation").Length > 0 ? 1 : 0), id = 100;
            CudnnDescriptor Next() => --steps < 0 ? tensors[2] : Tensor(id++, CudnnType.Float, dims, strides, 16, isVirtual: true);
            CudnnDescriptor value = Next();
            operations.Add(Forward(tensors[0], tensors[1], value, rank - 2));
            for (int i = 0; i < before; i++) operations.Add(Pointwise(CudnnPointwise.Add, value, tensors[3 + i], value = Next()));
            if (Text("activation") is { Length: > 0 } activation) operations.Add(Pointwise(ModeOf(activation), value, null, value = Next()));
            for (int i = 0; i < after; i++) operations.Add(Pointwise(CudnnPointwise.Add, value, tensors[3 + before + i], value = Next()));
            _graph = Own(new CudnnDescriptor(CudnnDescriptorType.Graph)).SetHandle(CudnnAttribute.GraphHandle, _library).Set(CudnnAttribute.GraphOperations, operations).Done("the convolution's graph");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public bool IsEmpty { get; }

    /// <summary>Plans that the library's heuristics name, best guess first, each built; those that need too much scratch memory or compute in another way than asked are left out.</summary>
    public IReadOnlyList<LibraryCandidate> Candidates(int count)
    {
        List<LibraryCandidate> found = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (CudnnHeuristics mode in new[] { CudnnHeuristics.A, CudnnHeuristics.B, CudnnHeuristics.Fallback })
        {
            if (mode == CudnnHeuristics.Fallback && found.Count > 0) break;
            IReadOnlyList<CudnnDescriptor> configs = Configs(mode, count);
            try
            {
                foreach (CudnnDescriptor config in configs)
                {
                    if (found.Count >= count) break;
                    _request.Stop.ThrowIfCancellationRequested();
                    CudnnAlgorithm algorithm = CudnnAlgorithm.Of(config, _exactFloats, out string problem);
                    if (problem.Length > 0 || !seen.Add(algorithm.Engine)) continue;
                    using CudnnDescriptor plan = new(CudnnDescriptorType.Plan);
                    plan.SetHandle(CudnnAttribute.PlanHandle, _library).Set(CudnnAttribute.PlanConfig, config);
                    if (!plan.TryFinish(out _)) continue;
                    long workspace = plan.GetInt64(CudnnAttribute.PlanWorkspace);
                    if (workspace > _request.WorkspaceBytes) continue;
                    found.Add(new LibraryCandidate(algorithm.ToBytes(), workspace) { Name = algorithm.Name, Compiled = (algorithm with { Extents = ExtentText, Json = plan.GetText(CudnnAttribute.PlanJson) }).ToBytes() });
                }
            }
            finally
            {
                foreach (CudnnDescriptor config in configs) config.Dispose();
            }
        }
        return found;
    }

    /// <summary>Makes the plan that was chosen, or, where it is of another library or does not fit these shapes, the library's own first choice.</summary>
    public void Build(string version)
    {
        if (IsEmpty) return;
        if (_request.Algorithm.Length > 0 && string.Equals(_request.Version, version, StringComparison.Ordinal) && CudnnAlgorithm.Read(_request.Algorithm.Span) is { } chosen)
        {
            if (string.Equals(chosen.Extents, ExtentText, StringComparison.Ordinal) && chosen.Json.Length > 0 && TryPlan(p => p.SetText(CudnnAttribute.PlanJson, chosen.Json))) return;
            using CudnnDescriptor? config = chosen.ToConfig(_graph!, _owned);
            if (config is not null && TryPlan(p => p.Set(CudnnAttribute.PlanConfig, config))) return;
        }
        LibraryCandidate first = Candidates(1).FirstOrDefault() ?? throw Refuse($"it has no plan for the convolution in {_request.WorkspaceBytes:N0} bytes of workspace");
        if (!TryPlan(p => p.SetText(CudnnAttribute.PlanJson, CudnnAlgorithm.Read(first.Compiled)!.Json))) throw Refuse("it does not read back its own plan");
    }

    /// <summary>The request's algorithm with the library's text of the plan that <see cref="Build"/> makes of it; as it is where the library takes another.</summary>
    public byte[] Compiled(string version)
    {
        if (IsEmpty || CudnnAlgorithm.Read(_request.Algorithm.Span) is not { } chosen) return _request.Algorithm.ToArray();
        using CudnnDescriptor? config = chosen.ToConfig(_graph!, _owned);
        return string.Equals(_request.Version, version, StringComparison.Ordinal) && config is not null && TryPlan(p => p.Set(CudnnAttribute.PlanConfig, config))
            ? (chosen with { Extents = ExtentText, Json = _plan!.GetText(CudnnAttribute.PlanJson) }).ToBytes() : _request.Algorithm.ToArray();
    }

    public void Enqueue(ReadOnlySpan<ulong> operands, nint stream)
    {
        if (IsEmpty) return;
        ReadOnlySpan<ulong> tensors = operands[.._operands];
        ulong workspace = _request.WorkspaceBytes > 0 ? operands[_operands] : 0;
        if (_pack is null || !tensors.SequenceEqual(_addresses.AsSpan(0, _operands)) || _addresses[_operands] != workspace)
        {
            _pack?.Dispose();
            _pack = new CudnnDescriptor(CudnnDescriptorType.VariantPack);
            _addresses = [.. tensors, workspace];
            long[] ids = new long[_operands];
            for (int i = 0; i < ids.Length; i++) ids[i] = i + 1;
            _pack.Set(CudnnAttribute.PackIds, ids).SetPointers(CudnnAttribute.PackPointers, tensors).SetPointers(CudnnAttribute.PackWorkspace, [workspace]).Done("the operands");
        }
        _setStream(stream);
        Cudnn.Execute(_library, _plan!.Handle, _pack.Handle, _request.Subject);
    }

    public void Dispose()
    {
        _pack?.Dispose();
        _plan?.Dispose();
        for (int i = _owned.Count - 1; i >= 0; i--) _owned[i].Dispose();
        _owned.Clear();
    }

    private string ExtentText => string.Join(',', _request.Extents);

    private bool TryPlan(Action<CudnnDescriptor> describe)
    {
        CudnnDescriptor plan = new(CudnnDescriptorType.Plan);
        bool done = false;
        try
        {
            plan.SetHandle(CudnnAttribute.PlanHandle, _library);
            describe(plan);
            done = plan.TryFinish(out _) && plan.GetInt64(CudnnAttribute.PlanWorkspace) <= _request.WorkspaceBytes;
        }
        catch (CudaLibraryException)
        {
            done = false;
        }
        finally
        {
            if (!done) plan.Dispose();
        }
        if (done) _plan = plan;
        return done;
    }

    private IReadOnlyList<CudnnDescriptor> Configs(CudnnHeuristics mode, int most)
    {
        using CudnnDescriptor heuristics = new(CudnnDescriptorType.EngineHeuristics);
        try
        {
            heuristics.Set(CudnnAttribute.HeuristicsGraph, _graph!).Set(CudnnAttribute.HeuristicsMode, CudnnValue.HeuristicMode, (int)mode);
            return heuristics.TryFinish(out _) ? heuristics.GetDescriptors(CudnnAttribute.HeuristicsResults, CudnnDescriptorType.EngineConfig, Math.Max(most, 8)) : [];
        }
        catch (CudaLibraryException)
        {
            return [];
        }
    }

    private CudnnDescriptor Forward(CudnnDescriptor x, CudnnDescriptor w, CudnnDescriptor y, int axes)
    {
        CudnnDescriptor convolution = Own(new CudnnDescriptor(CudnnDescriptorType.Convolution))
            .Set(CudnnAttribute.ConvolutionSpatialDims, axes).Set(CudnnAttribute.ConvolutionPrecision, CudnnValue.DataType, (int)CudnnType.Float).Set(CudnnAttribute.ConvolutionMode, CudnnValue.ConvolutionMode, 1)
            .Set(CudnnAttribute.ConvolutionDilations, Numbers("dilation")).Set(CudnnAttribute.ConvolutionStrides, Numbers("stride"))
            .Set(CudnnAttribute.ConvolutionPrePads, Numbers("before-pad")).Set(CudnnAttribute.ConvolutionPostPads, Numbers("after-pad")).Done("the convolution");
        return Own(new CudnnDescriptor(CudnnDescriptorType.ConvolutionForward)).Set(CudnnAttribute.ForwardX, x).Set(CudnnAttribute.ForwardW, w).Set(CudnnAttribute.ForwardY, y)
            .Set(CudnnAttribute.ForwardConvolution, convolution).Set(CudnnAttribute.ForwardAlpha, 1f).Set(CudnnAttribute.ForwardBeta, 0f).Done("the convolution");
    }

    private CudnnDescriptor Pointwise(CudnnPointwise mode, CudnnDescriptor x, CudnnDescriptor? b, CudnnDescriptor y)
    {
        CudnnDescriptor function = Own(new CudnnDescriptor(CudnnDescriptorType.Pointwise)).Set(CudnnAttribute.PointwiseMode, CudnnValue.PointwiseMode, (int)mode)
            .Set(CudnnAttribute.PointwisePrecision, CudnnValue.DataType, (int)CudnnType.Float).Done($"{mode}");
        CudnnDescriptor operation = Own(new CudnnDescriptor(CudnnDescriptorType.PointwiseOperation)).Set(CudnnAttribute.OperationPointwise, function).Set(CudnnAttribute.OperationX, x);
        if (b is not null) operation.Set(CudnnAttribute.OperationB, b);
        return operation.Set(CudnnAttribute.OperationY, y).Done($"{mode}");
    }

    private CudnnDescriptor Tensor(long id, CudnnType type, long[] dims, long[] strides, int alignment, bool isVirtual) =>
        Own(new CudnnDescriptor(CudnnDescriptorType.Tensor)).Set(CudnnAttribute.TensorType, CudnnValue.DataType, (int)type).Set(CudnnAttribute.TensorDimensions, dims).Set(CudnnAttribute.TensorStrides, strides)
            .Set(CudnnAttribute.TensorId, id).Set(CudnnAttribute.TensorAlignment, (long)Math.Min(16, alignment)).Set(CudnnAttribute.TensorIsVirtual, isVirtual).Done($"tensor {id}: {type}[{string.Join(',', dims)}]({string.Join(',', strides)})");

    private CudnnDescriptor Own(CudnnDescriptor descriptor)
    {
        _owned.Add(descriptor);
        return descriptor;
    }

    private CudnnType TypeOf(string name) => name switch { "f32" => CudnnType.Float, "f16" => CudnnType.Half, "bf16" => CudnnType.BFloat16, _ => throw Refuse($"it has no type '{name}'") };

    private CudnnPointwise ModeOf(string name) => name switch
    {
        "relu" => CudnnPointwise.Relu, "sigmoid" => CudnnPointwise.Sigmoid, "tanh" => CudnnPointwise.Tanh, "silu" => CudnnPointwise.Swish, "gelu" => CudnnPointwise.Gelu, "gelu-tanh" => CudnnPointwise.GeluTanh,
        _ => throw Refuse($"it has no activation '{name}'"),
    };

    private string Text(string key) => _request.Settings.TryGetValue(key, out string? value) ? value : "";

    private int Number(string key) => int.Parse(Text(key), CultureInfo.InvariantCulture);

    private long[] Numbers(string key) => [.. Text(key).Split(',').Select(t => long.Parse(t, CultureInfo.InvariantCulture))];

    private TrtToolsException Refuse(string found) => CudnnAdapter.Refuse(_request, found);
}
