using TrtTools.Engines.Proto;
using TrtTools.Execution;
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
            details.Layers.Add(LayerList.Of(context.Form!, small ? OnnxFile.Parse(File.ReadAllBytes(optimized), draft.Name) : context.Form!.Graph, context.FloatGraph));
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
        if (context.Options.OptimizationLevel == 0)
        {
            session.EndProfiling();
            return;
        }
        context.Begin("timing layers", 0.9);
        using IHostStep step = OnnxRuntimeHost.StepOf(session, [.. draft.Outputs.Select(o => o.Name)], draft.Name);
        bool profiled = false;
        try
        {
            Dictionary<string, long[]>? shapes = FindShapes(draft, step, context, out IReadOnlyDictionary<string, TensorData>? data);
            if (data is null)
            {
                context.Report.Verbose($"{draft.Name}: made-up inputs do not run, so the layers have no times.");
                return;
            }
            foreach ((string name, long[] shape) in shapes ?? [])
            {
                SampleShape sample = new() { Name = name };
                sample.Shape.Add(shape);
                details.SampleShapes.Add(sample);
            }
            profiled = true;
            IReadOnlyDictionary<string, double> times = LayerProfile.Times(step, data, ProfileRuns, Math.Min(ProfileSeconds, context.Options.TimeBudget ?? ProfileSeconds), context.Stop);
            foreach (Layer layer in details.Layers) layer.MedianMs = times.GetValueOrDefault(layer.RuntimeName);
        }
        finally
        {
            if (!profiled) step.EndProfiling();
        }
    }

    /// <summary>Shapes of the dynamic inputs with which the engine runs; null where it has none to choose.</summary>
    private static Dictionary<string, long[]>? FindShapes(Engine draft, IHostStep step, BuildContext context, out IReadOnlyDictionary<string, TensorData>? data)
    {
        data = null;
        foreach (Dictionary<string, long[]>? shapes in SampleShapes.Candidates(draft))
        {
            context.Stop.ThrowIfCancellationRequested();
            try
            {
                IReadOnlyDictionary<string, TensorData> made = SyntheticInputs.Create(draft, shapes, out _).ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
                using IHostRun run = step.Bind(made);
                run.Execute(context.Stop);
                data = made;
                return shapes;
            }
            catch (TrtToolsException e) when (e.Code is ErrorCode.EvaluationFailed or ErrorCode.ShapeMismatch or ErrorCode.ShapeUnknown or ErrorCode.InputInvalid)
            {
                context.Report.Debug($"{draft.Name} does not run on made-up inputs: {e.Message}");
            }
        }
        return null;
    }
}
