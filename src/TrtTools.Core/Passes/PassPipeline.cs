using System.Diagnostics;
using TrtTools.Ir;

namespace TrtTools.Passes;

/// <summary>Runs passes in order, round after round, until none of them finds anything. Node passes see only what was touched since they last
/// looked, so the time grows with the number of nodes and edits, not with their product.</summary>
internal sealed class PassPipeline(IReadOnlyList<Pass> passes, PassVerifier? verifier = null)
{
    private const int MostRounds = 40;

    /// <summary>Rewrites that undo each other would run forever: this many looks per node and round are far more than any model needs.</summary>
    private const int MostLooksPerNode = 40;

    /// <summary>Larger graphs are not looked through again at the end: what that would find is rare, and the time counts there.</summary>
    private const int MostSwept = 20_000;

    private sealed class Progress
    {
        public int SeenEdits { get; set; } = -1;

        /// <summary>Where a node pass stands in the touches of each operator it looks at.</summary>
        public List<TouchCursor> Cursors { get; } = [];

        public int Changes { get; set; }

        public TimeSpan Time { get; set; }

        public int Runs { get; set; }

        public bool Disabled { get; set; }
    }

    private sealed class TouchCursor(List<(Node Node, int Index)> touches)
    {
        private int _next;

        public bool IsAtEnd => _next == touches.Count;

        public int NextIndex => touches[_next].Index;

        public Node Take() => touches[_next++].Node;
    }

    /// <summary>Rewrites the graph; returns the context, whose model is another object when a pass was rolled back.</summary>
    public PassContext Run(PassContext context)
    {
        Dictionary<Pass, Progress> progress = passes.ToDictionary(p => p, _ => new Progress());
        Start(context, progress);
        verifier?.Start(context);
        // The first round sees everything anyway: where it finds nothing, there is nothing.
        bool swept = true;
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
                state.Runs++;
                if (count == 0) continue;
                if (before is not null && verifier!.FindDifference(context) is { } difference)
                {
                    context.Report.Warning($"{context.Model.Name}: pass {pass.Name} changed the results ({difference}); it was taken back and left out.");
                    context = new PassContext(before, context.Report, context.Stop) { WasTakenBack = true };
                    Start(context, progress);
                    (state.Disabled, state.Changes) = (true, 0);
                    continue;
                }
                state.Changes += count;
                changed = true;
            }
            if (changed)
            {
                swept = false;
                continue;
            }
            if (swept || context.Model.Body.NodeCount > MostSwept) break;
            // A guard may look further than an edit's neighbours: once more over everything, until that finds nothing either.
            swept = true;
            foreach (Node node in context.Model.Body.NodesWithSubgraphs.ToList()) context.Touch(node);
        }
        foreach (Pass pass in passes)
        {
            Progress state = progress[pass];
            if (state.Changes > 0) context.Report.Verbose(FormattableString.Invariant($"{pass.Name}: {state.Changes} in {state.Time.TotalMilliseconds:F1} ms"));
            else if (state.Runs > 0) context.Report.Debug(FormattableString.Invariant($"{pass.Name}: nothing in {state.Runs} looks, {state.Time.TotalMilliseconds:F1} ms"));
        }
        return context;
    }

    private static void Start(PassContext context, Dictionary<Pass, Progress> progress)
    {
        foreach (Node node in context.Model.Body.NodesWithSubgraphs) context.Touch(node);
        foreach ((Pass pass, Progress state) in progress)
        {
            state.SeenEdits = -1;
            state.Cursors.Clear();
            if (pass is NodePass local) state.Cursors.AddRange(local.OpTypes.Select(o => new TouchCursor(context.TouchesOf(o))));
        }
    }

    private static bool HasWork(Pass pass, Progress state, PassContext context) =>
        pass is NodePass ? state.Cursors.Exists(c => !c.IsAtEnd) : state.SeenEdits != context.TouchCount;

    private static int Run(NodePass pass, Progress state, PassContext context)
    {
        long budget = (long)MostLooksPerNode * (context.Model.Body.NodeCount + 100);
        int count = 0;
        while (Next(state.Cursors) is { } next)
        {
            int index = next.NextIndex;
            Node node = next.Take();
            if (!node.IsAlive || !PassContext.IsLastTouch(node, index)) continue;
            // A node that leaves its first result out can stand only in a damaged model.
            if (node.Output() is null && !node.Attributes.HasGraphs) continue;
            if ((index & 255) == 0) context.Stop.ThrowIfCancellationRequested();
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

    /// <summary>The operator whose next touch is the oldest.</summary>
    private static TouchCursor? Next(List<TouchCursor> cursors)
    {
        TouchCursor? first = null;
        foreach (TouchCursor cursor in cursors)
        {
            if (!cursor.IsAtEnd && (first is null || cursor.NextIndex < first.NextIndex)) first = cursor;
        }
        return first;
    }

    private static int Run(GraphPass pass, Progress state, PassContext context)
    {
        int count = pass.Apply(context);
        state.SeenEdits = context.TouchCount;
        return count;
    }
}
