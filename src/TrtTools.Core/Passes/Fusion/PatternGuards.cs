using System.Globalization;
using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Passes.Fusion;

/// <summary>Conditions beyond a pattern's form, as its file names them: a word, then what it is about. Each gives the reason why it does not hold, or null.</summary>
internal static class PatternGuards
{
    private delegate string? Guard(TreeMatch match, FusionScope scope, string[] arguments);

    private static readonly Dictionary<string, (int Least, int Most, Guard Check)> s_guards = new(StringComparer.Ordinal)
    {
        ["same-axes"] = (0, 0, (m, s, _) => SameAxes(m, s, out long[] _)),
        ["one-axis"] = (0, 0, (m, s, _) => SameAxes(m, s, out long[] axes) ?? (axes.Length <= 1 ? null : "it is normalized over several axes")),
        ["last-axes"] = (0, 0, (m, s, _) => SameAxes(m, s, out long[] axes) ?? (AreLast(m, axes, out string? why) ? null : why ?? "the mean is not taken over the last axes")),
        ["not-last-axes"] = (0, 0, (m, s, _) => SameAxes(m, s, out long[] axes) ?? (AreLast(m, axes, out string? why) ? "the mean is taken over the last axes" : why)),
        ["last-axis"] = (1, 1, LastAxis),
        ["equal-parts"] = (1, 1, EqualParts),
        ["constant"] = (1, 9, (m, _, names) => names.Select(n => m[n] is { } v && PassContext.Constant(v) is null ? $"'{v.Name}' is not constant" : null).FirstOrDefault(r => r is not null)),
        ["channelwise"] = (1, 1, Channelwise),
        ["sixth-step"] = (1, 1, SixthStep),
        ["rank"] = (2, 2, (m, _, a) => Types.RankOf(m[a[0]]) is not { } rank ? $"the rank of '{m[a[0]]?.Name}' is not known" : rank == Number(a[1]) ? null : $"'{m[a[0]]!.Name}' has {rank} dimensions, not {a[1]}"),
        ["rank-at-least"] = (2, 2, (m, _, a) => Types.RankOf(m[a[0]]) is not { } rank ? $"the rank of '{m[a[0]]?.Name}' is not known" : rank >= Number(a[1]) ? null : $"'{m[a[0]]!.Name}' has {rank} dimensions, fewer than {a[1]}"),
        ["type"] = (2, 9, (m, _, a) => m[a[0]] is not { } v || a.Skip(1).Contains(Types.TypeOf(v).ToString(), StringComparer.OrdinalIgnoreCase) ? null : $"'{v.Name}' is of {Types.TypeOf(v)}"),
        ["same-shape"] = (2, 2, (m, _, a) => Types.SameShape(m[a[0]], m[a[1]]) ? null : $"the shapes of '{m[a[0]]?.Name}' and '{m[a[1]]?.Name}' are not known to be equal"),
        ["clip"] = (3, 3, (m, s, a) => m[a[0]]?.Producer is { } clip && s.View(clip).ClipBounds is ({ } low, { } high) && low == Real(a[1]) && high == Real(a[2]) ? null : $"'{m[a[0]]?.Producer?.DisplayName}' does not clip to {a[1]}…{a[2]}"),
        ["attribute"] = (3, 3, Attribute),
    };

    /// <summary>Reads "last-axis Softmax"; a <see cref="FormatException"/> says what is wrong.</summary>
    public static Func<TreeMatch, FusionScope, string?> Parse(string text, IReadOnlySet<string> names)
    {
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0 || !s_guards.TryGetValue(words[0], out (int Least, int Most, Guard Check) guard))
        {
            throw new FormatException($"There is no guard '{(words.Length == 0 ? "" : words[0])}'; there are {string.Join(", ", s_guards.Keys.Order(StringComparer.Ordinal))}.");
        }
        string[] arguments = words[1..];
        if (arguments.Length < guard.Least || arguments.Length > guard.Most) throw new FormatException($"The guard '{words[0]}' takes {(guard.Least == guard.Most ? guard.Least.ToString(CultureInfo.InvariantCulture) : $"{guard.Least} to {guard.Most}")} words, not {arguments.Length}.");
        bool namesOperator = words[0] is "last-axis" or "equal-parts";
        int named = words[0] switch { "constant" => arguments.Length, "same-shape" => 2, _ => Math.Min(1, arguments.Length) };
        foreach (string name in arguments[..(namesOperator ? 0 : named)])
        {
            if (!names.Contains(name)) throw new FormatException($"No shape names '{name}', which the guard '{text}' is about.");
        }
        if (words[0] is "rank" or "rank-at-least") _ = Number(arguments[1]);
        if (words[0] == "clip") _ = Real(arguments[1]) + Real(arguments[2]);
        return (match, scope) => guard.Check(match, scope, arguments);
    }

    private static long Number(string text) => long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out long number) ? number : throw new FormatException($"'{text}' is no whole number.");

    private static double Real(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : throw new FormatException($"'{text}' is no number.");

    /// <summary>All reductions are taken over the same axes and keep them.</summary>
    private static string? SameAxes(TreeMatch match, FusionScope scope, out long[] axes)
    {
        axes = [];
        foreach (Node node in match.Nodes.Where(n => n.OpType.StartsWith("Reduce", StringComparison.Ordinal)))
        {
            OperatorView view = scope.View(node);
            if (view.Axes is not { Length: > 0 } own) return $"the axes of '{node.DisplayName}' are not known";
            if (!view.KeepsDimensions) return $"'{node.DisplayName}' drops the axes it reduces";
            if (axes.Length > 0 && !axes.SequenceEqual(own)) return $"'{node.DisplayName}' reduces other axes";
            axes = own;
        }
        return null;
    }

    private static bool AreLast(TreeMatch match, long[] axes, out string? whyUnknown)
    {
        whyUnknown = null;
        if (axes is [-1] or []) return true;
        if (Types.RankOf(match["x"]) is not { } rank)
        {
            whyUnknown = $"the rank of '{match["x"]?.Name}' is not known";
            return false;
        }
        long[] sorted = [.. axes.Select(a => a < 0 ? a + rank : a).Order()];
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i] != rank - sorted.Length + i) return false;
        }
        return true;
    }

    /// <summary>Every node of this operator works along the last axis.</summary>
    private static string? LastAxis(TreeMatch match, FusionScope scope, string[] arguments)
    {
        foreach (Node node in match.Nodes.Where(n => n.Is(arguments[0])))
        {
            OperatorView view = scope.View(node);
            if (view.Axis == -1) continue;
            if (Types.RankOf(node.Input(0)) is not { } rank) return $"the rank of '{node.Input(0)?.Name}' is not known";
            if (view.Axis != rank - 1) return $"'{node.DisplayName}' does not work along the last axis";
        }
        return null;
    }

    private static string? EqualParts(TreeMatch match, FusionScope scope, string[] arguments)
    {
        foreach (Node node in match.Nodes.Where(n => n.Is(arguments[0])))
        {
            int axis = (int)scope.View(node).Axis;
            if (node.Outputs.Any(o => Types.ShapeOf(o) is not { Rank: > 0 } shape || shape[axis] is not { } extent || !extent.Equals(Types.ShapeOf(node.Output())![axis]))) return $"the parts of '{node.DisplayName}' are not known to be equal";
        }
        return null;
    }

    /// <summary>One number for each channel of images: [C,1,1] or [1,C,1,1].</summary>
    private static string? Channelwise(TreeMatch match, FusionScope scope, string[] arguments)
    {
        if (match[arguments[0]] is not { } value || Types.StaticShapeOf(value) is not { } shape) return $"the shape of '{match[arguments[0]]?.Name}' is not known";
        return Types.RankOf(match["x"]) is { } rank && rank > 2 && shape.Length >= rank - 1 && shape.Length <= rank && shape[shape.Length - rank + 1] > 1 && shape[(shape.Length - rank + 2)..].All(d => d == 1)
            ? null : $"'{value.Name}' is not one number for each channel";
    }

    /// <summary>The step has the slope and the bounds of hard activations: (x + 3) / 6 between 0 and 1.</summary>
    private static string? SixthStep(TreeMatch match, FusionScope scope, string[] arguments)
    {
        if (match[arguments[0]]?.Producer is not { } step) return $"'{arguments[0]}' is not computed";
        if (step.OpType == "HardSigmoid")
        {
            return Math.Abs(step.Attributes.Float("alpha", 0.2f) - (1 / 6.0)) < 1e-4 && step.Attributes.Float("beta", 0.5f) == 0.5f ? null : $"the slope of '{step.DisplayName}' is not 1/6";
        }
        return scope.View(step).ClipBounds is (0, 6) ? null : $"'{step.DisplayName}' does not clip to 0…6";
    }

    /// <summary>attribute node name value: an integer, a number, a text, or integers between commas.</summary>
    private static string? Attribute(TreeMatch match, FusionScope scope, string[] arguments)
    {
        if (match[arguments[0]]?.Producer is not { } node) return $"'{arguments[0]}' is not computed";
        string? found = scope.View(node).Attribute(arguments[1])?.Content switch
        {
            long number => number.ToString(CultureInfo.InvariantCulture),
            float number => number.ToString(CultureInfo.InvariantCulture),
            long[] numbers => string.Join(',', numbers.Select(n => n.ToString(CultureInfo.InvariantCulture))),
            byte[] text => System.Text.Encoding.UTF8.GetString(text),
            _ => null,
        };
        return found == arguments[2] ? null : $"attribute '{arguments[1]}' of '{node.DisplayName}' is {found ?? "absent"}, not {arguments[2]}";
    }
}
