using System.Globalization;
using TrtTools.Ir;

namespace TrtTools.Debugging;

/// <summary>Makes one model smaller as long as it stays bad.</summary>
/// <remarks>With one faulty node, Bisect needs log2(n) + 1 checks: it looks at one half of what is left and, where that is good, takes the fault to be in the other half, which
/// only the last check confirms. Where that fails, the fault needs nodes of two halves. The half that was wrongly left out is found again by bisection, and then the
/// shortest row of nodes around that place.</remarks>
internal sealed class PartSearch
{
    private readonly Level _level;
    private readonly ReductionModes _mode;
    private readonly Report _report;
    private readonly IReadOnlyList<Node> _nodes;
    private readonly List<HashSet<Node>> _good = [];
    private HashSet<Node> _best;
    private bool _lastOnly;

    public PartSearch(Level level, ReductionModes mode, Report report)
    {
        (_level, _mode, _report, _nodes, Reason) = (level, mode, report, level.Maker.Nodes, level.WholeReason);
        _best = [.. _nodes];
    }

    /// <summary>The nodes of the smallest bad part, in the order they run.</summary>
    public IReadOnlyList<Node> Best => [.. _nodes.Where(_best.Contains)];

    /// <summary>What the check said of it.</summary>
    public string Reason { get; private set; }

    public void Run()
    {
        if (_mode.HasFlag(ReductionModes.Bisect)) Bisect();
        if (_mode.HasFlag(ReductionModes.Branch)) Branches();
        if (_mode.HasFlag(ReductionModes.Bisect)) Pieces();
        if (_mode.HasFlag(ReductionModes.Linear)) Linear();
        // Other tensors that the model reads elsewhere would be outputs of the part beside its last.
        if (_best.Count is > 1 and var count && count < _nodes.Count && _level.Maker.HasInnerOutputs(_best)) Take(_best, "Branch", lastOnly: true);
    }

    public ModelCandidate Part() => _best.Count == _nodes.Count && !_lastOnly ? _level.Whole() : _level.Maker.Make(_best, _lastOnly, _level.Stop)!;

    /// <summary>The good part that shares most with the best one.</summary>
    public OnnxGraph? NearestGood() => _good.OrderBy(g => g.Count(n => !_best.Contains(n)) + _best.Count(n => !g.Contains(n))).ThenBy(g => g.Count).Select(g => _level.Maker.Make(g, lastOnly: false, _level.Stop)?.Graph).FirstOrDefault();

    /// <summary>True when the part is bad, which then is the best one if it is smaller.</summary>
    private bool Take(IEnumerable<Node> nodes, string stage, bool lastOnly = false)
    {
        HashSet<Node> part = [.. nodes];
        if (part.Count == 0) return false;
        if (part.Count == _nodes.Count && !lastOnly) return true;
        _report.Progress("Reducing", string.Create(CultureInfo.InvariantCulture, $"{_level.Name}: {stage.ToLowerInvariant()}, {part.Count} of {_nodes.Count} nodes"), 1 - (Math.Log2(_best.Count + 1) / Math.Log2(_nodes.Count + 2)));
        if (_level.Check(part, lastOnly, stage) is not { } verdict) return false;
        if (verdict.Outcome == CheckOutcome.Good && !lastOnly) _good.Add(part);
        if (verdict.Outcome != CheckOutcome.Bad) return false;
        if (part.Count < _best.Count || lastOnly) (_best, _lastOnly, Reason) = (part, lastOnly, verdict.Reason);
        return true;
    }

    private void Bisect()
    {
        IReadOnlyList<int> cuts = _level.Maker.Cuts();
        // Places in cuts. All windows in the chain hold the next; the first is bad, and so is each that was checked.
        int low = 0, high = cuts.Count - 1;
        List<(int Low, int High, bool Known)> chain = [(low, high, true)];
        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            bool bad = Window(low, middle);
            if (bad) high = middle; else low = middle;
            chain.Add((low, high, bad));
        }
        if (chain[^1].Known || Window(low, high)) return;
        // The smallest window of the chain that is bad: the next one left out what the fault needs.
        int known = chain.FindLastIndex(w => w.Known), good = chain.Count - 1;
        while (good - known > 1)
        {
            int middle = (known + good) / 2;
            if (Window(chain[middle].Low, chain[middle].High)) known = middle; else good = middle;
        }
        (low, high, _) = chain[known];
        int between = (low + high) / 2;
        for (int least = between; high - least > 1;)
        {
            int middle = (least + high) / 2;
            if (Window(low, middle)) high = middle; else least = middle;
        }
        for (int most = between; most - low > 1;)
        {
            int middle = (low + most) / 2;
            if (Window(middle, high)) low = middle; else most = middle;
        }

        bool Window(int from, int to) => Take(_nodes.Skip(cuts[from]).Take(cuts[to] - cuts[from]), "Bisect");
    }

    /// <summary>What does not lead to the last node, and what the first node does not lead to.</summary>
    private void Branches()
    {
        if (_best.Count < 2) return;
        HashSet<Node> leading = _level.Maker.Reach(_best, Best[^1], up: true);
        if (leading.Count < _best.Count) Take(leading, "Branch");
        if (_best.Count < 2) return;
        HashSet<Node> led = _level.Maker.Reach(_best, Best[0], up: false);
        if (led.Count < _best.Count) Take(led, "Branch");
    }

    /// <summary>Leaves out halves, quarters, … of what is left, down to two nodes.</summary>
    private void Pieces()
    {
        for (int size = _best.Count / 2; size > 1; size /= 2)
        {
            for (int end = _best.Count; end > 0; end -= size)
            {
                if (end > _best.Count) continue;
                IReadOnlyList<Node> nodes = Best;
                HashSet<Node> left = [.. nodes.Skip(Math.Max(0, end - size)).Take(end - Math.Max(0, end - size))];
                Take(nodes.Where(n => !left.Contains(n)), "Bisect");
            }
        }
    }

    private void Linear()
    {
        for (bool smaller = true; smaller && _best.Count > 1;)
        {
            smaller = false;
            foreach (Node node in Best.Reverse())
            {
                if (_best.Count < 2) break;
                if (Take(_best.Where(n => n != node), "Linear")) smaller = true;
            }
        }
    }
}
