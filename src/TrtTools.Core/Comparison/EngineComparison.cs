using System.Globalization;
using System.Security.Cryptography;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Holds an engine's outputs against a reference.</summary>
public static class EngineComparison
{
    /// <summary>One result per output, over all samples.</summary>
    public static IReadOnlyList<OutputComparison> Compare(Engine engine, CompareOptions options, Report report, CancellationToken stop)
    {
        CheckOptions(options);
        CheckNames(options, [.. engine.Outputs.Select(o => o.Name)]);
        using IReferenceSource reference = ReferenceSource.Of(engine, options, report, stop);
        InputSource data = reference.Inputs ?? options.InputData ?? Synthetic(engine, options, report);
        Dictionary<string, OutputStatistics> statistics = engine.Outputs.ToDictionary(o => o.Name, o => StatisticsOf(o.Name, options), StringComparer.Ordinal);
        using Execution.ExecutionContext context = engine.CreateContext();
        int sample = 0;
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (IReadOnlyDictionary<string, Tensor> inputs in data.Read(stop))
        {
            stop.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, TensorData> expected = reference.Run(inputs, sample, stop);
            System.Collections.Specialized.OrderedDictionary actual = context.Run(inputs, stop);
            foreach (EngineTensor output in engine.Outputs)
            {
                if (!expected.TryGetValue(output.Name, out TensorData? wanted)) continue;
                seen.Add(output.Name);
                (TensorData mine, TensorData theirs) = Prepare(((Tensor)actual[output.Name]!).Content, wanted, options.For(output.Name));
                statistics[output.Name].Add(mine, theirs);
            }
            sample++;
            report.Progress("Comparing", string.Create(CultureInfo.InvariantCulture, $"{engine.Name}: sample {sample}"), data.Count is > 0 and long count ? Math.Min(1, (double)sample / count) : double.NaN);
        }
        if (sample == 0) throw new TrtToolsException(ErrorCode.DataNotFound, data.Description, "it holds no samples", "At least one is needed", "Give other input data");
        List<string> left = [.. engine.Outputs.Select(o => o.Name).Where(n => !seen.Contains(n))];
        if (left.Count == engine.Outputs.Count)
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, reference.Description, "it has none of the engine's outputs", string.Join(", ", left.Select(n => $"'{n}'")), "Name the expected outputs after the engine's outputs");
        }
        if (left.Count > 0) report.Warning($"{engine.Name}: {reference.Description} says nothing of {string.Join(", ", left.Select(n => $"'{n}'"))}, so they were not compared.");
        if (options.PlotPath is { } folder)
        {
            foreach (string name in seen.Order(StringComparer.Ordinal).Where(n => statistics[n].FirstErrors.Length > 0)) ErrorPlot.Write(folder, statistics[name], $"{engine.Name} {name}", options.Force);
        }
        return [.. engine.Outputs.Where(o => seen.Contains(o.Name)).Select(o => Judge(engine, statistics[o.Name], options.For(o.Name), reference.Description))];
    }

    internal static InputSource Synthetic(Engine engine, CompareOptions options, Report report)
    {
        if (engine.Inputs.Count == 0) return new IndexedInputSource(1, "no inputs", _ => new Dictionary<string, Tensor>(StringComparer.Ordinal));
        List<InputInfo> inputs = [];
        foreach (EngineTensor input in engine.Inputs)
        {
            long[]? shape = options.InputShape?.GetValueOrDefault(input.Name)
                ?? engine.Profiles.FirstOrDefault(p => p.Index == 0 && string.Equals(p.Input, input.Name, StringComparison.Ordinal))?.Opt;
            if (shape is null)
            {
                long[]? seen = engine.Content.Details.SampleShapes.FirstOrDefault(s => string.Equals(s.Name, input.Name, StringComparison.Ordinal)) is { } sample ? [.. sample.Shape] : null;
                shape = seen ?? (input.HasRank ? [.. input.Shape.Select(d => d < 0 ? 1 : d)] : null);
                if (shape is not null && input.Shape.Contains(-1)) report.Warning($"{engine.Name}: nobody gave the shape of {input}, so [{string.Join(',', shape)}] was taken; give -InputData or -InputShape.");
            }
            inputs.Add(new InputInfo(input.Name, input.DataType, shape));
        }
        return InputSources.Synthetic(inputs, 1);
    }

    /// <summary>Refuses limits of what is not compared.</summary>
    internal static void CheckNames(CompareOptions options, IReadOnlyCollection<string> names)
    {
        foreach (string name in options.OutputComparators.Keys.Concat(options.OutputTolerances.Keys).Order(StringComparer.Ordinal))
        {
            if (!names.Contains(name, StringComparer.Ordinal)) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Output '{name}'", "nothing of this name is compared", NearestName.Advice(name, names, "output"), "Correct the name");
        }
    }

    internal static void CheckOptions(CompareOptions options)
    {
        CheckOne(options);
        foreach (string name in options.OutputComparators.Keys.Order(StringComparer.Ordinal)) CheckOne(options.For(name));
    }

    private static void CheckOne(CompareOptions options)
    {
        foreach ((string name, double? value) in new[] { ("AbsoluteTolerance", options.AbsoluteTolerance), ("RelativeTolerance", options.RelativeTolerance) })
        {
            if (value is { } given && !(given >= 0)) throw new TrtToolsException(ErrorCode.OptionInvalid, name, string.Create(CultureInfo.InvariantCulture, $"it is {given}"), "A number of 0 or more", "Correct the value");
        }
        if (options.Threshold is { } threshold && (double.IsNaN(threshold) || options.Comparator == ComparatorKind.Index && threshold != Math.Floor(threshold)))
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "Threshold", string.Create(CultureInfo.InvariantCulture, $"it is {threshold}"), options.Comparator == ComparatorKind.Index ? "A whole number of places" : "A number", "Correct the value");
        }
        if (options.Threshold is not null && options.Comparator is not (ComparatorKind.L2 or ComparatorKind.Cosine or ComparatorKind.Psnr or ComparatorKind.Snr or ComparatorKind.Index))
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "Threshold", $"the comparator {options.Comparator} has none", "L2, Cosine, Psnr, Snr or Index", "Give AbsoluteTolerance and RelativeTolerance instead");
        }
        if (!(options.Quantile is >= 0 and <= 1)) throw new TrtToolsException(ErrorCode.OptionInvalid, "Quantile", string.Create(CultureInfo.InvariantCulture, $"it is {options.Quantile}"), "A share from 0 to 1", "Correct the value");
        if (options.TopK < 1) throw new TrtToolsException(ErrorCode.OptionInvalid, "TopK", $"it is {options.TopK}", "1 or more", "Correct the value");
    }

    private static OutputComparison Judge(Engine engine, OutputStatistics found, CompareOptions options, string reference)
    {
        Verdict verdict = Verdicts.Of(found, options, IsExact(engine));
        double[] relativeErrors = found.RelativeErrors();
        return new OutputComparison
        {
            Output = found.Name, Passed = verdict.Reason.Length == 0, Reason = verdict.Reason, MaxAbsoluteError = found.Max, MeanAbsoluteError = found.Mean, MedianAbsoluteError = found.Median,
            MaxRelativeError = relativeErrors.DefaultIfEmpty(0).Max(), MeanRelativeError = relativeErrors.DefaultIfEmpty(0).Average(), MedianRelativeError = OutputStatistics.MedianOf(relativeErrors),
            Cosine = found.Cosine, Psnr = found.Psnr, Sqnr = found.Sqnr, L2 = found.L2, Top1Agreement = found.Top1, TopKAgreement = found.TopK, HasNaN = found.HasNaN, HasInfinity = found.HasInfinity,
            Scale = found.Scale, Comparator = options.Comparator, AbsoluteTolerance = verdict.Absolute, RelativeTolerance = verdict.Relative, CosineTolerance = verdict.CosineTolerance, Threshold = verdict.Threshold, ElementCount = found.Elements,
            SampleCount = found.Samples, Reference = reference, Model = engine.Model, Path = engine.Path, Device = engine.Device, Precision = engine.Precision,
        };
    }

    internal static bool IsExact(Engine engine) => string.Equals(engine.Precision, nameof(EnginePrecision.Fp32), StringComparison.Ordinal);

    /// <summary>Figures of one output or layer, with the tolerances that hold for it.</summary>
    internal static OutputStatistics StatisticsOf(string name, CompareOptions options)
    {
        options = options.For(name);
        (double? absolute, double? relative) = Verdicts.Tolerances(name, options);
        double missing = options.Comparator == ComparatorKind.Scale ? 0 : Verdicts.PolygraphyTolerance;
        return new OutputStatistics(name, options.TopK, relative ?? missing, absolute ?? missing, options.Comparator == ComparatorKind.Index ? (int)(options.Threshold ?? 0) : null);
    }

    /// <summary>What is compared: the output as it is, in the reference's shape, or the places of its largest elements.</summary>
    private static (TensorData Engine, TensorData Reference) Prepare(TensorData engine, TensorData reference, CompareOptions options)
    {
        if (options.IgnoreShape && !engine.Shape.SequenceEqual(reference.Shape) && engine.ElementCount == reference.ElementCount) engine = engine.Reshape(reference.Shape);
        return options.TopIndex > 0 ? (TopIndices.Of(engine, options.TopIndex), TopIndices.Of(reference, options.TopIndex)) : (engine, reference);
    }

    internal static string HashFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 20);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
