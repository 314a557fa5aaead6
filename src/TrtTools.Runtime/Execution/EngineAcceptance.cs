using System.Globalization;
using System.Security.Cryptography;
using Google.Protobuf;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>An engine's acceptance test: what it gave on made-up inputs where it was built, and whether it still does.</summary>
public static class EngineAcceptance
{
    /// <summary>Elements of an output that are kept.</summary>
    private const int Samples = 256;

    /// <summary>Runs the engine and holds its outputs against those of the build.</summary>
    public static IReadOnlyList<EngineTest> Test(Engine engine, Report report, CancellationToken stop)
    {
        Acceptance test = engine.Content.Details.Acceptance
            ?? throw new TrtToolsException(ErrorCode.DataNotFound, $"The engine '{engine.Name}'", "it carries no acceptance test", "An engine that ran where it was built", "Build it again on a machine with its device, or use Compare-EngineOutput");
        report.Progress("Testing", engine.Name, double.NaN);
        Dictionary<string, long[]> shapes = test.Inputs.ToDictionary(i => i.Name, i => i.Shape.ToArray(), StringComparer.Ordinal);
        IReadOnlyList<TensorData> results = Run(engine, shapes, test.Seed, stop);
        List<EngineTest> tests = [];
        for (int i = 0; i < engine.Outputs.Count; i++)
        {
            AcceptanceOutput? expected = test.Outputs.FirstOrDefault(o => string.Equals(o.Name, engine.Outputs[i].Name, StringComparison.Ordinal));
            tests.Add(expected is null ? Result(engine, engine.Outputs[i].Name, false, false, double.NaN, 0, "the acceptance test does not know this output") : Compare(engine, expected, results[i]));
        }
        foreach (EngineTest failed in tests.Where(t => !t.Passed)) report.Verbose(failed.ToString());
        return tests;
    }

    /// <summary>Runs the engine twice and keeps what it gave. An engine that does not run on made-up inputs gets no test; the report says so.</summary>
    internal static void Record(Engine engine, Report report, CancellationToken stop)
    {
        try
        {
            IReadOnlyDictionary<string, Tensor> inputs = SyntheticInputs.Create(engine, null, out _);
            Dictionary<string, long[]> shapes = inputs.ToDictionary(i => i.Key, i => i.Value.Shape, StringComparer.Ordinal);
            IReadOnlyList<TensorData> first = Run(engine, shapes, SyntheticInputs.DefaultSeed, stop), second = Run(engine, shapes, SyntheticInputs.DefaultSeed, stop);
            Acceptance test = new() { Seed = SyntheticInputs.DefaultSeed };
            foreach (EngineTensor input in engine.Inputs)
            {
                SampleShape shape = new() { Name = input.Name };
                shape.Shape.Add(shapes[input.Name]);
                test.Inputs.Add(shape);
            }
            for (int i = 0; i < first.Count; i++) test.Outputs.Add(Describe(engine, engine.Outputs[i].Name, first[i], second[i]));
            engine.Content.Details.Acceptance = test;
        }
        catch (TrtToolsException e)
        {
            report.Verbose($"{engine.Name}: no acceptance test, since it does not run on made-up inputs ({e.Message.TrimEnd('.')}).");
        }
    }

    private static IReadOnlyList<TensorData> Run(Engine engine, IReadOnlyDictionary<string, long[]> shapes, ulong seed, CancellationToken stop)
    {
        IReadOnlyDictionary<string, Tensor> inputs = SyntheticInputs.Create(engine, shapes, out _, seed);
        InputCheck.Check(engine, inputs);
        using IHostRun run = engine.Bind(inputs.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal), stop);
        run.Execute(stop);
        return run.CopyResults();
    }

    private static AcceptanceOutput Describe(Engine engine, string name, TensorData first, TensorData second)
    {
        AcceptanceOutput output = new() { Name = name, DataType = (int)first.Type, Tolerance = Tolerance(engine.Precision) };
        output.Shape.Add(first.Shape.ToArray());
        if (!first.ContentEquals(second)) return output;
        output.Sha256 = ByteString.CopyFrom(Digest(first));
        if (!IsNumeric(first.Type)) return output;
        double[] elements = first.ToDouble();
        output.Scale = elements.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
        output.Samples.Add(Sample(elements));
        return output;
    }

    private static EngineTest Compare(Engine engine, AcceptanceOutput expected, TensorData actual)
    {
        if (actual.Type != (DataType)expected.DataType || !actual.Shape.SequenceEqual(expected.Shape.ToArray()))
        {
            return Result(engine, expected.Name, false, false, double.NaN, expected.Tolerance, $"it is {actual}, and was {(DataType)expected.DataType}[{string.Join(',', expected.Shape)}]");
        }
        if (expected.Sha256.IsEmpty) return Result(engine, expected.Name, true, false, 0, expected.Tolerance, "it differed from run to run where the engine was built: only type and shape are held against it");
        if (Digest(actual).AsSpan().SequenceEqual(expected.Sha256.Span)) return Result(engine, expected.Name, true, true, 0, expected.Tolerance, "every bit is as it was where the engine was built");
        if (!IsNumeric(actual.Type) || expected.Samples.Count == 0) return Result(engine, expected.Name, false, false, double.NaN, expected.Tolerance, "its content differs from what it was where the engine was built");
        double[] samples = Sample(actual.ToDouble());
        double worst = 0;
        bool sameSpecials = samples.Length == expected.Samples.Count;
        for (int i = 0; sameSpecials && i < samples.Length; i++)
        {
            if (double.IsFinite(samples[i]) && double.IsFinite(expected.Samples[i])) worst = Math.Max(worst, Math.Abs(samples[i] - expected.Samples[i]));
            else sameSpecials = samples[i].Equals(expected.Samples[i]);
        }
        double error = expected.Scale > 0 ? worst / expected.Scale : worst;
        bool passed = sameSpecials && error <= expected.Tolerance;
        string found = string.Create(CultureInfo.InvariantCulture, $"of {samples.Length} elements that were kept the worst differs by {error:G3} of the output's scale, where {expected.Tolerance:G3} is allowed");
        return Result(engine, expected.Name, passed, false, error, expected.Tolerance, sameSpecials ? found : "NaN or infinities stand elsewhere than where the engine was built");
    }

    private static EngineTest Result(Engine engine, string output, bool passed, bool identical, double error, double tolerance, string reason) => new()
    {
        Name = engine.Name, Path = engine.Path, Device = engine.Device, Precision = engine.Precision, Output = output, Passed = passed, Identical = identical, MaxError = error, Tolerance = tolerance, Reason = reason,
    };

    /// <summary>What another driver or library may change: the order of sums, in the precision that they are made in.</summary>
    private static double Tolerance(string precision) => precision switch
    {
        nameof(EnginePrecision.Fp32) => 1e-4, nameof(EnginePrecision.Tf32) => 2e-3, nameof(EnginePrecision.Fp16) => 1e-2, nameof(EnginePrecision.Bf16) => 5e-2, _ => 5e-2,
    };

    private static bool IsNumeric(DataType type) => type.IsFloatingPoint() || type.IsInteger() || type == DataType.Bool;

    private static double[] Sample(double[] elements)
    {
        int count = Math.Min(Samples, elements.Length);
        double[] samples = new double[count];
        for (int i = 0; i < count; i++) samples[i] = elements[(long)i * elements.Length / count];
        return samples;
    }

    private static byte[] Digest(TensorData data)
    {
        if (data.Type != DataType.String) return BlobStore.Hash(data);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string text in data.Strings)
        {
            // Each with its length, so that where one ends counts.
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
        return hash.GetHashAndReset();
    }
}
