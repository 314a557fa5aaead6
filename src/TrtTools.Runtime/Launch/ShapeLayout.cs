using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;

namespace TrtTools.Launch;

/// <summary>One epoch of a plan for one set of symbol values: what its extents are, how large its buffers, and where they lie. Needs no device.</summary>
internal sealed class ShapeLayout
{
    private readonly Plan _plan;
    private readonly PlanTables _tables;
    private readonly string _name;
    private readonly int _epoch;
    private readonly long[] _extents;
    private readonly long[] _byteCounts;

    /// <param name="symbols">Values of all symbols that the epoch knows.</param>
    /// <param name="larger">Layouts of the same epoch whose places are taken where everything fits: a shape that changes within them moves nothing.</param>
    public ShapeLayout(Plan plan, PlanTables tables, IReadOnlyList<TensorData> blobs, string name, int epoch, IReadOnlyDictionary<string, long> symbols, IReadOnlyList<ShapeLayout>? larger = null)
    {
        (_plan, _tables, _name, _epoch) = (plan, tables, name, epoch);
        Profile = ProfileSymbols.Find(plan, symbols);
        _extents = new long[tables.Extents.Length];
        for (int i = 0; i < _extents.Length; i++)
        {
            if (tables.ExtentEpochs[i] > epoch) continue;
            _extents[i] = tables.Extents[i].Evaluate(symbols)
                ?? throw new TrtToolsException(ErrorCode.ShapeMismatch, Subject, $"the extent {tables.Extents[i]} has no value for {Text(symbols)}", "Shapes that fit each other", "Check the inputs' shapes");
        }
        _byteCounts = new long[tables.Buffers.Length];
        for (int b = 0; b < _byteCounts.Length; b++)
        {
            if (tables.Buffers[b].Epoch > epoch) continue;
            Buffer buffer = plan.Buffers[b];
            _byteCounts[b] = _extents[buffer.Bytes];
            if (buffer.Kind == BufferKind.Weight && _byteCounts[b] > blobs[(int)buffer.Index].ByteCount)
            {
                throw new TrtToolsException(ErrorCode.EngineCorrupt, Subject, $"the weight '{buffer.Name}' has fewer than {_byteCounts[b]:N0} bytes", "", "Build the engine again");
            }
            if (_byteCounts[b] < 0) throw new TrtToolsException(ErrorCode.ShapeMismatch, Subject, $"'{buffer.Name}' would take {_byteCounts[b]:N0} bytes for {Text(symbols)}", "", "Check the inputs' shapes");
        }
        foreach (ShapeLayout other in larger ?? [])
        {
            if (!Fits(other)) continue;
            (Offsets, ArenaBytes) = (other.Offsets, other.ArenaBytes);
            return;
        }
        Offsets = new long[_byteCounts.Length];
        PlaceBuffers();
    }

    private bool Fits(ShapeLayout other)
    {
        for (int b = 0; b < _byteCounts.Length; b++) if (other.Offsets[b] >= 0 && _byteCounts[b] > other._byteCounts[b]) return false;
        return true;
    }

    /// <summary>The optimization profile whose launches run.</summary>
    public int Profile { get; }

    /// <summary>Where the epoch's scratch buffers lie in its arena; -1 for buffers elsewhere.</summary>
    public long[] Offsets { get; }

    public long ArenaBytes { get; private set; }

    /// <summary>Value of an extent, by its number.</summary>
    public long this[uint extent] => _extents[extent];

    public long ByteCountOf(int buffer) => _byteCounts[buffer];

    public long[] ShapeOf(int buffer) => Evaluate(_plan.Buffers[buffer].Shape);

    /// <summary>Values of extents, by their numbers.</summary>
    public long[] Evaluate(IReadOnlyList<uint> extents)
    {
        long[] values = new long[extents.Count];
        for (int i = 0; i < values.Length; i++) values[i] = _extents[extents[i]];
        return values;
    }

    /// <summary>Bytes that a buffer's elements take when they lie densely, as a host sees them; no more than it has room for.</summary>
    public long DenseBytes(int buffer, long[] shape)
    {
        Buffer source = _plan.Buffers[buffer];
        try
        {
            long bytes = ((DataType)source.DataType).ByteCount(TensorData.CountElements(shape));
            if (bytes >= 0 && bytes <= _byteCounts[buffer] && shape.All(d => d >= 0)) return bytes;
        }
        catch (OverflowException)
        {
        }
        throw new TrtToolsException(ErrorCode.EngineCorrupt, Subject, $"'{source.Name}' [{string.Join(',', shape)}] does not fit its {_byteCounts[buffer]:N0} bytes", "", "Build the engine again");
    }

    public bool HasShape(int buffer, ReadOnlySpan<long> shape)
    {
        Buffer source = _plan.Buffers[buffer];
        if (source.Shape.Count != shape.Length) return false;
        for (int i = 0; i < shape.Length; i++) if (_extents[source.Shape[i]] != shape[i]) return false;
        return true;
    }

    private string Subject => $"The engine '{_name}'";

    private void PlaceBuffers()
    {
        List<int> buffers = [];
        List<BufferLife> lives = [];
        for (int b = 0; b < Offsets.Length; b++)
        {
            Offsets[b] = -1;
            BufferUse use = _tables.Buffers[b];
            if (_plan.Buffers[b].Kind != BufferKind.Scratch || use.Epoch != _epoch || !use.OnDevice) continue;
            buffers.Add(b);
            lives.Add(new BufferLife(use.First, use.Last, _byteCounts[b]));
        }
        long[] offsets = new long[lives.Count];
        try
        {
            ArenaBytes = ArenaPlanner.Place(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(lives), offsets);
        }
        catch (OverflowException)
        {
            throw new TrtToolsException(ErrorCode.OutOfDeviceMemory, Subject, "its buffers take more memory than there are addresses", "", "Give smaller inputs");
        }
        for (int i = 0; i < offsets.Length; i++) Offsets[buffers[i]] = offsets[i];
    }

    private static string Text(IReadOnlyDictionary<string, long> symbols) =>
        symbols.Count == 0 ? "these shapes" : string.Join(", ", symbols.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{s.Key} = {s.Value}")));
}
