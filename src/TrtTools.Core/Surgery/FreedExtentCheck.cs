using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Runs a graph with freed extents beside the one with fixed ones: at the old extents they must agree, and where the free extent is a batch of one, a batch of three must be three batches of one.</summary>
internal static class FreedExtentCheck
{
    private const double Tolerance = 1e-4;
    private const int Batch = 3;

    public static void Run(OnnxGraph before, OnnxGraph after, IReadOnlyList<FreedExtent> freed, Report report, CancellationToken stop)
    {
        IReadOnlyDictionary<string, TensorData> sample;
        IReadOnlyDictionary<string, TensorData> expected;
        try
        {
            sample = SyntheticInputs.Make(before, 1);
            expected = ModelRunner.Run(before, sample, stop);
        }
        catch (TrtToolsException e) when (e.Code is ErrorCode.EvaluationFailed or ErrorCode.UnsupportedOperator)
        {
            report.Warning($"{before.Name}: made-up inputs do not run, so nothing shows that the freed extents are right ({e.Message.TrimEnd('.')})");
            return;
        }
        Compare(after, expected, Try(after, sample, stop), "at the old extents", stop);
        List<string> batches = [.. freed.GroupBy(f => f.Symbol).Where(g => g.All(f => f.Old == 1)).Select(g => g.Key)];
        // Extents that were free before and have the symbol now grow with it.
        IReadOnlyList<FreedExtent> axes = [.. freed, .. FreeBefore(after, freed).Where(f => sample.TryGetValue(f.Input, out TensorData? data) && data.Shape[f.Axis] == f.Old)];
        if (batches.Count == 1) axes = [.. axes.Where(f => f.Symbol == batches[0])];
        if (batches.Count != 1 || axes.DistinctBy(a => a.Input).Count() < axes.Count)
        {
            Try(after, Enlarged(sample, axes), stop);
            return;
        }
        List<Dictionary<string, TensorData>> samples = [.. Enumerable.Range(0, Batch).Select(i => Varied(sample, axes, i))];
        IReadOnlyDictionary<string, TensorData> together = Try(after, axes.ToDictionary(a => a.Input, a => Stack(samples.Select(s => s[a.Input]), a.Axis)).Concat(sample.Where(s => axes.All(a => a.Input != s.Key))).ToDictionary(p => p.Key, p => p.Value), stop);
        List<IReadOnlyDictionary<string, TensorData>> single = [.. samples.Select(s => ModelRunner.Run(before, s, stop))];
        Dictionary<string, TensorData> stacked = [];
        foreach (Value output in after.Body.Outputs)
        {
            int axis = output.Type?.Shape is { } shape ? Enumerable.Range(0, shape.Rank).FirstOrDefault(i => shape[i] is { IsConstant: false } d && d.Symbols.Contains(batches[0], StringComparer.Ordinal), -1) : -1;
            if (axis < 0) throw Refused(after, $"the output '{output.Name}' does not depend on '{batches[0]}': somewhere the samples are mixed or one is picked", "Look for what takes away the first extent, such as Gather, Slice or ReduceMean over it");
            stacked[output.Name] = Stack(single.Select(s => s[output.Name]), axis);
        }
        Compare(after, stacked, together, $"with {Batch} samples at once", stop);
    }

    private static IEnumerable<FreedExtent> FreeBefore(OnnxGraph after, IReadOnlyList<FreedExtent> freed)
    {
        foreach (Value input in after.Body.Inputs)
        {
            if (input.Type?.Shape is not { } shape) continue;
            for (int axis = 0; axis < shape.Rank; axis++)
            {
                if (freed.FirstOrDefault(f => f.Symbol == shape[axis]?.SymbolName) is not { } same || freed.Any(f => f.Input == input.Name && f.Axis == axis)) continue;
                yield return same with { Input = input.Name, Axis = axis };
            }
        }
    }

    private static IReadOnlyDictionary<string, TensorData> Try(OnnxGraph graph, IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop)
    {
        try
        {
            return ModelRunner.Run(graph, inputs, stop);
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.EvaluationFailed)
        {
            throw Refused(graph, $"it does not run at other extents: {e.Message.TrimEnd('.')}", "Change the node that the message names first, or free other extents");
        }
    }

    private static void Compare(OnnxGraph graph, IReadOnlyDictionary<string, TensorData> expected, IReadOnlyDictionary<string, TensorData> actual, string where, CancellationToken stop)
    {
        foreach ((string name, TensorData wanted) in expected)
        {
            stop.ThrowIfCancellationRequested();
            TensorData given = actual[name];
            if (!given.Shape.SequenceEqual(wanted.Shape)) throw Refused(graph, $"'{name}' has the shape [{string.Join(',', given.Shape.ToArray())}] {where}, not [{string.Join(',', wanted.Shape.ToArray())}]", "Look for a Reshape that mixes extents");
            if (wanted.Type == DataType.String) continue;
            double[] a = wanted.ToDouble(), b = given.ToDouble();
            double scale = a.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
            for (int i = 0; i < a.Length; i++)
            {
                if (Math.Abs(a[i] - b[i]) > Tolerance * Math.Max(scale, 1e-6)) throw Refused(graph, $"'{name}' differs {where}: samples influence each other", "Look for an operator that works across the freed extent");
            }
        }
    }

    private static Dictionary<string, TensorData> Enlarged(IReadOnlyDictionary<string, TensorData> sample, IReadOnlyList<FreedExtent> freed)
    {
        Dictionary<string, TensorData> larger = new(sample, StringComparer.Ordinal);
        foreach (FreedExtent extent in freed) larger[extent.Input] = Stack([larger[extent.Input], larger[extent.Input]], extent.Axis);
        return larger;
    }

    /// <summary>Another sample: the made-up numbers of each batched input turned by some places.</summary>
    private static Dictionary<string, TensorData> Varied(IReadOnlyDictionary<string, TensorData> sample, IReadOnlyList<FreedExtent> axes, int number)
    {
        Dictionary<string, TensorData> varied = new(sample, StringComparer.Ordinal);
        foreach (FreedExtent axis in axes)
        {
            TensorData data = sample[axis.Input];
            if (data.Type == DataType.String || data.ElementCount == 0) continue;
            double[] values = data.ToDouble();
            varied[axis.Input] = TensorMath.FromDouble(data.Type, data.Shape, [.. values.Select((_, i) => values[(i + (number * 7)) % values.Length])]);
        }
        return varied;
    }

    private static TensorData Stack(IEnumerable<TensorData> parts, int axis)
    {
        TensorData[] all = [.. parts];
        long[] shape = all[0].Shape.ToArray();
        long outer = shape.Take(axis).Aggregate(1L, (a, b) => a * b);
        shape[axis] = all.Sum(p => p.Shape[axis]);
        if (all[0].Type == DataType.String) return TensorData.FromStrings(shape, [.. all.SelectMany(p => p.Strings.ToArray())]);
        byte[] bytes = new byte[all.Sum(p => p.ByteCount)];
        int at = 0;
        for (long o = 0; o < outer; o++)
        {
            foreach (TensorData part in all)
            {
                int length = (int)(part.ByteCount / outer);
                part.Slice(o * length, length).CopyTo(bytes.AsSpan(at));
                at += length;
            }
        }
        return TensorData.FromBytes(all[0].Type, shape, bytes);
    }

    private static TrtToolsException Refused(OnnxGraph graph, string found, string next) => new(ErrorCode.ChangeRefused, $"{DynamicShapeConversion.Command} of '{graph.Name}'", found, "Nothing was changed", next);
}
