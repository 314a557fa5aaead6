using System.Globalization;
using System.Text;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>A kernel while it is written: its statements, and the arguments that they turned out to need.</summary>
/// <param name="written">Storages that the kernel writes: what it reads of them may change, so it is not read as constant.</param>
internal sealed class KernelText(GeneratorOptions options, IReadOnlyCollection<Storage> written)
{
    private const int ProgrammaticCapability = 90;

    private readonly StringBuilder _head = new();
    private readonly StringBuilder _body = new();
    private readonly List<(string Declaration, KernelArgument Argument)> _pointers = [];
    private readonly List<(string Declaration, KernelArgument Argument)> _extents = [];
    private readonly Dictionary<(Storage Storage, string Offset, bool Writes), string> _pointerNames = [];
    private readonly Dictionary<string, string> _extentNames = new(StringComparer.Ordinal);
    private readonly HashSet<Storage> _readBack = [];
    private int _depth = 1;
    private bool _waits;
    private int _names;

    public GeneratorOptions Options => options;

    /// <summary>A name that no other has.</summary>
    public string Name(string prefix) => string.Create(CultureInfo.InvariantCulture, $"{prefix}{_names++}");

    public void Line(string line)
    {
        _body.Append(' ', line.StartsWith('#') ? 0 : _depth * 4).Append(line).Append('\n');
    }

    /// <summary>From here on the kernel may touch what its predecessors wrote. Every thread has to come by, even one that then has nothing to do: a kernel that ends early would let its own successor run ahead of its predecessor.</summary>
    public void Wait()
    {
        if (!options.Programmatic || _waits) return;
        Line("trt::wait_for_predecessors();");
        _waits = true;
    }

    /// <summary>Ends threads that have nothing to do, and finds the place of the others.</summary>
    public T Guard<T>(string nothingLeft, Func<T> place)
    {
        if (!options.Programmatic)
        {
            Line($"if ({nothingLeft}) return;");
            return place();
        }
        T result = place();
        Wait();
        Line($"if ({nothingLeft}) return;");
        return result;
    }

    /// <summary>A declaration at the head of the kernel.</summary>
    public void Before(string line) => _head.Append("    ").Append(line).Append('\n');

    public void Open(string head)
    {
        Line(head.Length == 0 ? "{" : head + " {");
        _depth++;
    }

    public void Close(string tail = "")
    {
        _depth--;
        Line("}" + tail);
    }

    public void Else()
    {
        _depth--;
        Line("} else {");
        _depth++;
    }

    /// <summary>The address of a storage's element <paramref name="offset"/>. Packed elements are addressed from the start of the storage.</summary>
    public string Pointer(Storage storage, DimExpr offset, Access access)
    {
        bool writes = access != Access.Read;
        if (_pointerNames.TryGetValue((storage, offset.Text, writes), out string? name)) return name;
        if (!writes && written.Contains(storage)) _readBack.Add(storage);
        name = (writes ? "y" : "x") + _pointerNames.Count.ToString(CultureInfo.InvariantCulture);
        string type = ElementText.TypeName(storage.Type);
        _pointers.Add(($"{(writes ? "" : "const ")}{type} *@{name}", new PointerArgument(storage, offset, access)));
        _pointerNames.Add((storage, offset.Text, writes), name);
        return name;
    }

    /// <summary>An extent as a number or an argument.</summary>
    public string Extent(DimExpr extent)
    {
        if (extent.TryGetValue(out long value)) return ElementText.Integer(value, value is >= int.MinValue and <= int.MaxValue);
        if (_extentNames.TryGetValue(extent.Text, out string? name)) return name;
        bool wide = !options.IsNarrow(extent);
        name = "n" + _extentNames.Count.ToString(CultureInfo.InvariantCulture);
        _extents.Add(($"{(wide ? "trt::i64" : "int")} {name}", new ExtentArgument(extent, wide)));
        _extentNames.Add(extent.Text, name);
        return name;
    }

    /// <param name="function">The kernel's name.</param>
    /// <param name="threads">Threads of a block.</param>
    public KernelLaunch Finish(string name, string function, IReadOnlyList<DimExpr> grid, int threads, int sharedBytes = 0, string prelude = "", int minimumBlocks = 0)
    {
        // What a predecessor may still be writing is not to be read ahead of the wait, as the compiler might where nothing in the kernel writes it.
        bool Aliased(KernelArgument argument) => argument is PointerArgument pointer && (_readBack.Contains(pointer.Storage) || (options.Programmatic && pointer.Storage.Kind != StorageKind.Weight));
        string start = !options.Programmatic ? "" : _waits ? "    trt::launch_dependents();\n" : "    trt::launch_dependents();\n    trt::wait_for_predecessors();\n";
        IEnumerable<string> declarations = _pointers.Select(p => p.Declaration.Replace("@", Aliased(p.Argument) ? "" : "__restrict__ ", StringComparison.Ordinal)).Concat(_extents.Select(e => e.Declaration));
        string bounds = minimumBlocks > 0 ? $"{threads}, {minimumBlocks}" : threads.ToString(CultureInfo.InvariantCulture);
        string text = $"#include \"reduce.cuh\"\n\n{prelude}extern \"C\" __global__ void __launch_bounds__({bounds}) {function}({string.Join(", ", declarations)})\n{{\n{start}{_head}{_body}}}\n";
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource(function, text, options.Programmatic ? ProgrammaticCapability : KernelSource.LeastCapability), Programmatic = options.Programmatic, Grid = grid, Block = [threads], SharedBytes = sharedBytes, Arguments = [.. _pointers.Select(p => p.Argument), .. _extents.Select(e => e.Argument)],
        };
    }
}
