using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Evaluation;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>Loads a finished engine once: what ONNX Runtime makes of it are its layers, and a few runs give their times.</summary>
internal static class EngineDetails
{
    private const int ProfileRuns = 10;
    private const double ProfileSeconds = 0.5;

    /// <summary>ONNX Runtime writes its optimized graph with the weights in it; past this the layers are our own nodes.</summary>
    private const long LargestOptimizedModel = 1_500_000_000;

    public static void Fill(Details details, Engine draft, BuildContext context)
    {
        context.Begin("loading the engine", 0.8);
        string folder = Directory.CreateTempSubdirectory("trttools-").FullName;
        string? weightsFolder = null;
        try
        {
            string optimized = Path.Combine(folder, "optimized.onnx");
            bool small = draft.Content.BlobsLength < LargestOptimizedModel;
            byte[] model = OrtModelPacker.Unpack(draft.StepRequest.Model, draft.StepRequest.Weights, draft.Name, out weightsFolder);
            OrtOptions options = OnnxRuntimeHost.OptionsOf(draft.StepRequest.Settings, draft.Name, profile: true) with { OptimizedModelPath = small ? optimized : null, ExternalDataFolder = weightsFolder };
            using OrtSession session = OrtSession.Create(model, options, context.Stop);
            details.Layers.Add(LayerList.Of(context.Form!, small ? OnnxFile.Parse(File.ReadAllBytes(optimized), draft.Name) : context.Form!.Graph));
            AddTimes(details, draft, session, context);
        }
        finally
        {
            foreach (string? used in new[] { folder, weightsFolder })
            {
                try { if (used is not null) Directory.Delete(used, recursive: true); } catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
            }
        }
    }

    private static void AddTimes(Details details, Engine draft, OrtSession session, BuildContext context)
    {
        context.Begin("timing layers", 0.9);
        using IHostStep step = OnnxRuntimeHost.StepOf(session, [.. draft.Outputs.Select(o => o.Name)], draft.Name);
        bool profiled = false;
        try
        {
            IReadOnlyDictionary<string, long[]>? shapes = FindShapes(draft, step, context, out IReadOnlyDictionary<string, TensorData>? data);
            if (data is null)
            {
                context.Report.Verbose($"{draft.Name}: made-up inputs do not run, so the layers have no times.");
                return;
            }
            foreach ((string name, long[] shape) in shapes ?? new Dictionary<string, long[]>())
            {
                SampleShape sample = new() { Name = name };
                sample.Shape.Add(shape);
                details.SampleShapes.Add(sample);
            }
            profiled = true;
            IReadOnlyDictionary<string, double> times = LayerProfile.Times(step, data, ProfileRuns, ProfileSeconds, context.Stop);
            foreach (Layer layer in details.Layers) layer.MedianMs = times.GetValueOrDefault(layer.RuntimeName);
        }
        finally
        {
            if (!profiled) step.EndProfiling();
        }
    }

    /// <summary>Shapes of the dynamic inputs with which the engine runs; the optimum of the first profile where there is one.</summary>
    private static IReadOnlyDictionary<string, long[]>? FindShapes(Engine draft, IHostStep step, BuildContext context, out IReadOnlyDictionary<string, TensorData>? data)
    {
        data = null;
        bool free = draft.Inputs.Any(i => i.Shape.Contains(-1)) && draft.Profiles.Count == 0;
        foreach (long extent in free ? [32, 64, .. Evaluation.SyntheticInputs.ExtentsToTry] : new long[] { 1 })
        {
            context.Stop.ThrowIfCancellationRequested();
            Dictionary<string, long[]>? shapes = free ? draft.Inputs.Where(i => i.Shape.Contains(-1)).ToDictionary(i => i.Name, i => Guess(i, draft.Inputs, extent), StringComparer.Ordinal) : null;
            try
            {
                IReadOnlyDictionary<string, TensorData> made = Execution.SyntheticInputs.Create(draft, shapes, out _).ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
                using IHostRun run = step.Bind(made);
                run.Execute(context.Stop);
                data = made;
                return shapes;
            }
            catch (TrtToolsException e) when (e.Code is ErrorCode.EvaluationFailed or ErrorCode.ShapeMismatch or ErrorCode.ShapeUnknown or ErrorCode.InputInvalid)
            {
                context.Report.Debug($"{draft.Name} does not run on made-up inputs with extent {extent}: {e.Message}");
            }
        }
        return null;
    }

    /// <summary>The batch is 1 wherever its symbol stands, any other dynamic dimension <paramref name="extent"/>.</summary>
    private static long[] Guess(EngineTensor input, IReadOnlyList<EngineTensor> all, long extent)
    {
        HashSet<string> batch = [.. all.Where(i => i.Shape.Length > 1 && i.Shape[0] < 0).Select(i => i.SymbolicShape[0]).Where(s => s != "?")];
        return [.. input.Shape.Select((d, i) => d >= 0 ? d : i == 0 && input.Shape.Length > 1 || batch.Contains(input.SymbolicShape[i]) ? 1 : extent)];
    }
}
