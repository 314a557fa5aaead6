using System.Diagnostics;
using System.Globalization;
using TrtTools.Build;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Tests.Gpu;

/// <summary>A decoder with its keys and values in memory of the caller: what a step gives is what the next one takes, one longer.</summary>
[Collection("GPU")]
public sealed class DecoderTests
{
    private const int Tokens = 100;

    /// <summary>TRTTOOLS_DECODER names a model with the inputs token, position and past, and the outputs logits and present, as bench/peers/gpu_models.py exports it; TRTTOOLS_DECODER_PAST the length to begin with.</summary>
    [Theory]
    [InlineData("Fp32")]
    [InlineData("Fp16")]
    public void A_hundred_tokens_need_no_new_memory_and_no_new_graphs(string precision)
    {
        using CudaContext device = Cuda.Gpu.Open();
        string? path = Environment.GetEnvironmentVariable("TRTTOOLS_DECODER");
        Assert.SkipUnless(File.Exists(path), "TRTTOOLS_DECODER names no model.");
        int first = int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_DECODER_PAST"), CultureInfo.InvariantCulture, out int given) ? given : 512, most = first + Tokens;
        CancellationToken stop = TestContext.Current.CancellationToken;
        using OnnxGraph graph = OnnxFile.Import(path, Report.None, stop);
        long[] Past(long length) => [.. graph.Inputs.Single(i => i.Name == "past").Shape.Select((d, axis) => axis == 2 ? 1 : axis == 4 ? length : d)];
        Dictionary<string, ShapeRange> profile = new() { ["token"] = new([1, 1], [1, 1], [1, 1]), ["position"] = new([1, 1], [1, 1], [1, 1]), ["past"] = new(Past(1), Past(first), Past(most)) };
        Stopwatch clock = Stopwatch.StartNew();
        using Engine engine = EngineBuilder.Build(graph, GpuBuild.Options(precision) with { OptimizationProfile = [profile] }, Report.None, stop);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"DECODER {precision}: built in {clock.Elapsed.TotalSeconds:0.0} s, {engine.Layers.Count} layers; {string.Join(", ", engine.Layers.GroupBy(l => l.Tactic.Split(':', ' ')[0]).Select(g => $"{g.Count()} x {g.Key}"))}{string.Concat(engine.Warnings.Select(w => $"; warning: {w}"))}"));
        using OrtSession reference = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = OrtOptimization.Full, Subject = graph.Name }, stop);

        int logits = 0, present = 1;
        Assert.Equal(2, engine.Outputs.Count);
        TensorData past = GraphText.Random(DataType.Float32, Past(first), 7);
        long room = past.ByteCount / first * most;
        using DeviceBuffer token = DeviceBuffer.Allocate(device, 8), position = DeviceBuffer.Allocate(device, 8), a = DeviceBuffer.Allocate(device, room), b = DeviceBuffer.Allocate(device, room);
        a.CopyFromHost(past.Bytes);
        using DeviceContext context = engine.CreateDeviceContext(stop);
        int Index(string name) => Enumerable.Range(0, engine.Inputs.Count).Single(i => engine.Inputs[i].Name == name);
        (int t, int p, int k) = (Index("token"), Index("position"), Index("past"));
        List<double> times = [], onDevice = [];
        double worst = 0, worstPresent = 0;
        long free = 0;
        int resources = 0, replayed = 0;
        context.IsTimed = true;
        for (int n = 0; n < Tokens; n++)
        {
            long id = (1234567 * (n + 1)) % 50000, at = first + n;
            token.CopyFromHost(BitConverter.GetBytes(id));
            position.CopyFromHost(BitConverter.GetBytes(at));
            (DeviceBuffer from, DeviceBuffer to) = n % 2 == 0 ? (a, b) : (b, a);
            long start = Stopwatch.GetTimestamp();
            context.BindInput(t, token.Address, 8, [1, 1]);
            context.BindInput(p, position.Address, 8, [1, 1]);
            context.BindInput(k, from.Address, room, Past(at));
            context.BindOutput(present, to.Address, room);
            context.Upload();
            context.Execute(stop);
            context.Synchronize();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            onDevice.Add(context.Times.Compute);
            if (n == 19)
            {
                (free, resources, replayed) = (device.GetMemoryInfo().Free, CudaContext.LiveResources, context.GraphRuns);
            }
            IReadOnlyDictionary<string, TensorData> expected = reference.Run(new Dictionary<string, TensorData> { ["token"] = TensorData.From<long>([id], 1, 1), ["position"] = TensorData.From<long>([at], 1, 1), ["past"] = past }, null, stop);
            TensorData wanted = expected[engine.Outputs[logits].Name];
            byte[] got = new byte[wanted.ByteCount];
            DeviceTestMemory.Copy(device, context.OutputAddress(logits), got);
            worst = Math.Max(worst, Error(wanted.AsSpan<float>(), System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(got)));
            past = expected[engine.Outputs[present].Name];
        }
        Assert.Equal(free, device.GetMemoryInfo().Free);
        Assert.Equal(resources, CudaContext.LiveResources);
        Assert.Equal("", context.CaptureProblem);
        byte[] last = new byte[past.ByteCount];
        (Tokens % 2 == 0 ? a : b).CopyToHost(last);
        worstPresent = Error(past.AsSpan<float>(), System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(last));
        times.Sort();
        onDevice.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"FIGURE decoder {precision}, {Tokens} tokens after {first}: {times[Tokens / 2]:0.000} ms a token from binding to result (worst {times[^1]:0.000}), {onDevice[Tokens / 2]:0.000} ms on the device; {context.GraphRuns} replays of graphs; logits error {worst:0.0e+0}, keys and values {worstPresent:0.0e+0} of scale"));
        Assert.Equal(Tokens - 20, context.GraphRuns - replayed);
        Assert.InRange(worst, 0, precision == "Fp16" ? 1e-2 : 1e-4);
        Assert.InRange(worstPresent, 0, precision == "Fp16" ? 1e-2 : 1e-4);
    }

    private static double Error(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        double scale = 0, error = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs(expected[i]));
            error = Math.Max(error, float.IsFinite(actual[i]) ? Math.Abs(expected[i] - actual[i]) : double.PositiveInfinity);
        }
        return error / scale;
    }
}

internal static class DeviceTestMemory
{
    public static unsafe void Copy(CudaContext device, ulong address, Span<byte> target)
    {
        fixed (byte* first = target) device.Api.Check(device.Api.cuMemcpyDtoH_v2(first, address, (nuint)target.Length), "cuMemcpyDtoH_v2");
    }
}
