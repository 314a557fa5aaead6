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
    private const double ScaleTolerance = 1e-4, Int8Cosine = 0.99, Int8Equal = 0.99;

    /// <summary>One result per output, over all samples.</summary>
    public static IReadOnlyList<OutputComparison> Compare(Engine engine, CompareOptions options, Report report, CancellationToken stop)
    {
        CheckOptions(options);
        using IReferenceSource reference = ReferenceSource.Of(engine, options, report, stop);
        InputSource data = reference.Inputs ?? options.InputData ?? Synthetic(engine, options, report);
        double relative = options.RelativeTolerance ?? 0;
        Dictionary<string, OutputStatistics> statistics = engine.Outputs.ToDictionary(o => o.Name, o => new OutputStatistics(o.Name, options.TopK, relative), StringComparer.Ordinal);
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
                statistics[output.Name].Add(((Tensor)actual[output.Name]!).Content, wanted);
            }
            sample++;
            report.Progress("Comparing", string.Create(CultureInfo.InvariantCulture, $"{engine.Name}: sample {sample}"), data.Count is > 0 and long count ? Math.Min(1, (double)sample / count) : double.NaN);
        }
        if (sample == 0) throw new TrtToolsException(ErrorCode.DataNotFound, data.Description, "it holds no samples", "At least one", "Give other input data");
        List<string> left = [.. engine.Outputs.Select(o => o.Name).Where(n => !seen.Contains(n))];
        if (left.Count == engine.Outputs.Count)
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, reference.Description, "it has none of the engine's outputs", string.Join(", ", left.Select(n => $"'{n}'")), "Name the expected outputs after the engine's outputs");
        }
        if (left.Count > 0) report.Warning($"{engine.Name}: {reference.Description} says nothing of {string.Join(", ", left.Select(n => $"'{n}'"))}, so they were not compared.");
        return [.. engine.Outputs.Where(o => seen.Contains(o.Name)).Select(o => Judge(engine, statistics[o.Name], options, reference.Description))];
    }

    private static InputSource Synthetic(Engine engine, CompareOptions options, Report report)
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

    private static void CheckOptions(CompareOptions options)
    {
        foreach ((string name, double? value) in new[] { ("AbsoluteTolerance", options.AbsoluteTolerance), ("RelativeTolerance", options.RelativeTolerance) })
        {
            if (value is { } given && !(given >= 0)) throw new TrtToolsException(ErrorCode.OptionInvalid, name, string.Create(CultureInfo.InvariantCulture, $"it is {given}"), "A number of 0 or more", "Correct the value");
        }
        if (options.TopK < 1) throw new TrtToolsException(ErrorCode.OptionInvalid, "TopK", $"it is {options.TopK}", "1 or more", "Correct the value");
    }

    private static OutputComparison Judge(Engine engine, OutputStatistics found, CompareOptions options, string reference)
    {
        bool given = options.AbsoluteTolerance is not null || options.RelativeTolerance is not null;
        bool exact = string.Equals(engine.Precision, nameof(EnginePrecision.Fp32), StringComparison.Ordinal);
        double absolute = options.AbsoluteTolerance ?? (given ? 0 : ScaleTolerance * found.Scale);
        double cosineTolerance = given || exact || !found.IsFloating ? 0 : Int8Cosine;
        double[] relativeErrors = found.RelativeErrors();
        string reason = found.Mismatch is { } mismatch ? mismatch
            : found.Misplaced > 0 ? Say($"{found.Misplaced} elements are NaN or infinite on one side only")
            : !given && !found.IsFloating ? Equality(found, exact ? 1 : Int8Equal)
            : cosineTolerance > 0 ? found.Cosine >= cosineTolerance ? "" : Say($"the cosine is {found.Cosine:0.######}, under {cosineTolerance}")
            : found.Excess > absolute ? Say($"the largest error is {found.Max:0.###e+0}, and {absolute:0.###e+0} is allowed{(options.RelativeTolerance > 0 ? " beyond the relative tolerance" : "")}") : "";
        return new OutputComparison
        {
            Output = found.Name, Passed = reason.Length == 0, Reason = reason, MaxAbsoluteError = found.Max, MeanAbsoluteError = found.Mean, MedianAbsoluteError = found.Median,
            MaxRelativeError = relativeErrors.DefaultIfEmpty(0).Max(), MeanRelativeError = relativeErrors.DefaultIfEmpty(0).Average(), MedianRelativeError = OutputStatistics.MedianOf(relativeErrors),
            Cosine = found.Cosine, Psnr = found.Psnr, Sqnr = found.Sqnr, Top1Agreement = found.Top1, TopKAgreement = found.TopK, HasNaN = found.HasNaN, HasInfinity = found.HasInfinity,
            Scale = found.Scale, AbsoluteTolerance = absolute, RelativeTolerance = options.RelativeTolerance ?? 0, CosineTolerance = cosineTolerance, ElementCount = found.Elements,
            SampleCount = found.Samples, Reference = reference, Model = engine.Model, Path = engine.Path, Device = engine.Device, Precision = engine.Precision,
        };
    }

    private static string Equality(OutputStatistics found, double least)
    {
        double share = found.Elements == 0 ? 1 : 1 - (double)found.Unequal / found.Elements;
        return share >= least ? "" : Say($"{found.Unequal} of {found.Elements} elements differ");
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    internal static string HashFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 20);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
