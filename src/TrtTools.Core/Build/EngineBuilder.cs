using System.Diagnostics;
using TrtTools.Execution;
using TrtTools.Engines;
using TrtTools.Ir;

namespace TrtTools.Build;

/// <summary>The compiler: graph in, engine out.</summary>
public static class EngineBuilder
{
    /// <summary>Builds an engine.</summary>
    public static Engine Build(OnnxGraph graph, BuildOptions options, Report report, CancellationToken stop)
    {
        BuildContext context = new(graph, options, report, stop);
        Engine engine = Build(context, options);
        // An engine for a device that is not here can't be run.
        if (context.Target is { Open: null }) return engine;
        try
        {
            EngineAcceptance.Record(engine, report, stop);
            // A folder of models becomes a list of engines: they must not all hold the device's memory.
            engine.Release();
            engine.SetSize(EngineWriter.FileLength(engine.Header, engine.Content));
            return engine;
        }
        catch
        {
            engine.Dispose();
            throw;
        }
    }

    private static Engine Build(BuildContext context, BuildOptions options)
    {
        Stopwatch clock = Stopwatch.StartNew();
        context.ChooseDevice();
        context.CheckOptions();
        context.CheckOperators();
        BuildStages.Identify(context);
        BuildStages.Simplify(context);
        context.Guard = RangeGuard.Create(context);
        PrecisionStage.Apply(context);
        BuildStages.Canonicalize(context);
        if (context.Target is not null)
        {
            (EngineHeader header, EngineContent content) = CudaBuild.Assemble(context);
            return EngineAssembler.Complete(context, header, content, clock);
        }
        Engine engine = EngineAssembler.Assemble(context, clock);
        if (context.FloatGraph is null || options.OptimizationLevel == 0) return engine;
        try
        {
            using Engine plain = BuildStages.AssembleFloat(context, clock);
            return SpeedCheck.KeepInt8(engine, plain, context) ? EngineAssembler.Complete(context, engine.Header, engine.Content, clock) : EngineAssembler.Complete(context, plain.Header, plain.Content, clock);
        }
        finally
        {
            engine.Dispose();
        }
    }

    /// <summary>The checks of <see cref="Build"/> that take no time, with its errors. Gives lines that say what would be built.</summary>
    public static IReadOnlyList<string> Check(OnnxGraph graph, BuildOptions options)
    {
        BuildContext context = new(graph, options, Report.None, CancellationToken.None);
        context.ChooseDevice();
        context.CheckOptions();
        context.CheckOperators();
        PrecisionStage.Check(context);
        return context.Describe();
    }
}
