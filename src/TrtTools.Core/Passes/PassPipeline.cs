using System.Diagnostics;
using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>Runs passes in order, round after round, until none of them finds anything. Node passes see only what was touched since they last
/// looked, so the time grows with the number of nodes and edits, not with their product.</summary>
internal sealed class PassPipeline(IReadOnlyList<Pass> passes, PassVerifier? verifier = null)
{
    private const int MostRounds = 40;

    /// <summary>Rewrites that undo each other would run forever: this many looks per node and round are far more than any model needs.</summary>
    private const int MostLooksPerNode = 200;

    private sealed class Progress
    {
        public int Cursor { get; set; }

        public int SeenEdits { get; set; } = -1;

        public int Changes { get; set; }

        public TimeSpan Time { get; set; }

        public bool Disabled { get; set; }
    }

    /// <summary>Rewrites the graph; returns the context, whose model is another object when a pass was rolled back.</summary>
    public PassContext Run(PassContext context)
    {
        Dictionary<Pass, Progress> progress = passes.ToDictionary(p => p, _ => new Progress());
        TouchAll(context);
        verifier?.Start(context);
        for (int round = 0; round < MostRounds; round++)
        {
            bool changed = false;
            for (int i = 0; i < passes.Count; i++)
            {
                context.Stop.ThrowIfCancellationRequested();
                Pass pass = passes[i];
                Progress state = progress[pass];
                if (state.Disabled || !HasWork(pass, state, context)) continue;
                context.Report.Progress("Optimizing", pass.Name, double.NaN);
                OnnxGraph? before = verifier is not null && pass.ChangesComputation ? context.Model.Copy() : null;
                long started = Stopwatch.GetTimestamp();
                int count = pass is NodePass local ? Run(local, state, context) : Run((GraphPass)pass, state, context);
                state.Time += Stopwatch.GetElapsedTime(started);
                if (count == 0) continue;
                if (before is not null && verifier!.FindDifference(context) is { } difference)
                {
                    context.Report.Warning($"{context.Model.Name}: pass {pass.Name} changed the results ({difference}); it was taken back and left out.");
                    context = new PassContext(before, context.Report, context.Stop);
                    TouchAll(context);
                    foreach (Progress other in progress.Values) (other.Cursor, other.SeenEdits) = (0, -1);
                    (state.Disabled, state.Changes) = (true, 0);
                    continue;
                }
                state.Changes += count;
                changed = true;
            }
            if (!changed) break;
        }
        foreach (Pass pass in passes)
        {
            Progress state = progress[pass];
            if (state.Changes > 0) context.Report.Verbose(FormattableString.Invariant($"{pass.Name}: {state.Changes} in {state.Time.TotalMilliseconds:F1} ms"));
        }
        return context;
    }

    private static void TouchAll(PassContext context)
    {
        foreach (Node node in context.Model.Body.NodesWithSubgraphs) context.Touch(node);
    }

    private static bool HasWork(Pass pass, Progress state, PassContext context) =>
        pass is NodePass ? state.Cursor < context.Touched.Count : state.SeenEdits != context.Touched.Count;

    private static int Run(NodePass pass, Progress state, PassContext context)
    {
        IReadOnlyCollection<string>? opTypes = pass.OpTypes;
        long budget = (long)MostLooksPerNode * (context.Touched.Count - state.Cursor + 100);
        int count = 0;
        for (; state.Cursor < context.Touched.Count; state.Cursor++)
        {
            Node node = context.Touched[state.Cursor];
            if (!node.IsAlive || !context.IsLastTouch(node, state.Cursor)) continue;
            if (opTypes is not null && (node.Domain.Length > 0 || !opTypes.Contains(node.OpType))) continue;
            if ((state.Cursor & 255) == 0) context.Stop.ThrowIfCancellationRequested();
            if (--budget < 0)
            {
                context.Report.Debug($"{pass.Name} does not come to rest; it stops here.");
                break;
            }
            if (!pass.Apply(node, context)) continue;
            count++;
            context.Touch(node);
        }
        return count;
    }

    private static int Run(GraphPass pass, Progress state, PassContext context)
    {
        int count = pass.Apply(context);
        state.SeenEdits = context.Touched.Count;
        return count;
    }
}
