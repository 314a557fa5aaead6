using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes;

/// <summary>Simplifies graphs: what Optimize-OnnxGraph runs.</summary>
public static class GraphOptimizer
{
    /// <summary>Names of all passes, in the order they run.</summary>
    public static IReadOnlyList<string> PassNames { get; } = [.. PassList.All().Select(p => p.Name)];

    /// <summary>A simplified copy of the graph. It computes the same, and its inputs and outputs keep their names.</summary>
    public static OnnxGraph Optimize(OnnxGraph graph, OptimizeOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        graph.RequireWeights();
        List<Pass> passes = Choose(options);
        OnnxGraph copy = graph.Copy();
        OverridableInputs.Drop(copy, report);
        FixInputs(copy, options.InputValue);
        int before = copy.Body.NodesWithSubgraphs.Count();
        PassContext context = new(copy, report, stop);
        context = new PassPipeline(passes, options.Verify ? new PassVerifier() : null).Run(context);
        report.Verbose($"{graph.Name}: {before} nodes before, {context.Model.Body.NodesWithSubgraphs.Count()} after");
        context.Model.IsSimplified = options is { Pass: null, ExcludePass: null, StopAfter: null } && !context.WasTakenBack;
        return context.Model.WithHistory("Optimize-OnnxGraph", Describe(options));
    }

    /// <summary>Runs all passes on a graph that belongs to the caller.</summary>
    internal static void OptimizeInPlace(OnnxGraph graph, IReadOnlyList<Pass> passes, Report report, CancellationToken stop) =>
        new PassPipeline(passes).Run(new PassContext(graph, report, stop));

    private static List<Pass> Choose(OptimizeOptions options)
    {
        HashSet<string>? chosen = NameMatcher.FindAll(options.Pass, PassNames, ErrorCode.PassUnknown, "Pass");
        HashSet<string>? excluded = NameMatcher.FindAll(options.ExcludePass, PassNames, ErrorCode.PassUnknown, "Pass");
        string? last = options.StopAfter is null ? null : NameMatcher.Find(options.StopAfter, PassNames, ErrorCode.PassUnknown, "Pass");
        List<Pass> result = [];
        foreach (Pass pass in PassList.All())
        {
            if (chosen?.Contains(pass.Name) != false && excluded?.Contains(pass.Name) != true) result.Add(pass);
            if (pass.Name == last) break;
        }
        return result;
    }

    private static void FixInputs(OnnxGraph graph, IReadOnlyDictionary<string, Tensor>? values)
    {
        if (values is null) return;
        foreach ((string name, Tensor tensor) in values.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            Value? input = graph.Body.Inputs.FirstOrDefault(v => string.Equals(v.Name, name, StringComparison.Ordinal));
            if (input is null)
            {
                throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{name}'", $"{graph.Name} has no input of this name",
                    $"Its inputs are {string.Join(", ", graph.Body.Inputs.Select(v => $"'{v.Name}'"))}", "Check the keys of -InputValue");
            }
            graph.Body.AddInitializer(name, FitTo(input, tensor));
            graph.Body.FixInputs([input]);
        }
    }

    /// <summary>The content with the input's element type and rank.</summary>
    private static TensorData FitTo(Value input, Tensor tensor)
    {
        if (input.Type is not { } type) return tensor.Content;
        TensorData data = tensor.Content;
        if (type.DataType != DataType.Undefined && data.Type != type.DataType) data = TensorConversion.From(tensor, input.Name, type.DataType, tensor.Shape).Content;
        if (type.Shape is not { } shape) return data;
        bool fits = shape.Rank == data.Rank;
        for (int i = 0; fits && i < shape.Rank; i++) fits = shape[i] is not { IsConstant: true } extent || extent.Value == data.Shape[i];
        if (fits) return data;
        // One number for a vector of one, or for the scalar that the file declares as [1].
        if (data.ElementCount == 1 && shape.Dimensions.All(d => d is not { IsConstant: true } || d.Value == 1)) return data.Reshape([.. Enumerable.Repeat(1L, shape.Rank)]);
        throw new TrtToolsException(ErrorCode.InputInvalid, $"Input '{input.Name}'", $"The value has shape [{string.Join(',', data.Shape.ToArray())}]",
            $"The model declares {shape}", "Give a value of that shape in -InputValue");
    }

    private static string Describe(OptimizeOptions options)
    {
        List<string> parts = [];
        if (options.InputValue is { Count: > 0 } values) parts.Add($"-InputValue {string.Join(", ", values.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => $"{v.Key}={Shorten(v.Value)}"))}");
        if (options.Pass is { } chosen) parts.Add($"-Pass {string.Join(",", chosen)}");
        if (options.ExcludePass is { } excluded) parts.Add($"-ExcludePass {string.Join(",", excluded)}");
        if (options.StopAfter is { } last) parts.Add($"-StopAfter {last}");
        if (options.Verify) parts.Add("-Verify");
        return string.Join(' ', parts);
    }

    private static string Shorten(Tensor tensor) => tensor.Content.ElementCount == 1 && tensor.DataType != DataType.String
        ? Convert.ToString(tensor.Data.GetValue(0), System.Globalization.CultureInfo.InvariantCulture) ?? ""
        : $"{tensor.DataType}[{string.Join(',', tensor.Shape)}]";
}
