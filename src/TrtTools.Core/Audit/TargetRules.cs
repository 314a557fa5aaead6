using System.Collections.Frozen;
using System.Globalization;
using System.Reflection;
using TrtTools.Tensors;
using YamlDotNet.RepresentationModel;

namespace TrtTools.Audit;

/// <summary>What a target takes of one operator in a range of opsets.</summary>
internal sealed record OperatorRule
{
    public int First { get; init; } = 1;

    public int Last { get; init; } = int.MaxValue;

    public bool Supported { get; init; } = true;

    /// <summary>Element types of the first input (of the output where there is none); null for all.</summary>
    public FrozenSet<DataType>? Types { get; init; }

    /// <summary>Inputs that must be constants.</summary>
    public IReadOnlyList<int> ConstantInputs { get; init; } = [];

    /// <summary>Optional outputs that nothing may use.</summary>
    public IReadOnlyList<int> UnusedOutputs { get; init; } = [];

    /// <summary>Ranks of the first input; empty for all.</summary>
    public IReadOnlyList<int> Ranks { get; init; } = [];

    /// <summary>Contents that an attribute may have, as text; "default" allows its absence.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Attributes { get; init; } = FrozenDictionary<string, IReadOnlyList<string>>.Empty;

    /// <summary>Limits that only a build shows, in words.</summary>
    public string Limits { get; init; } = "";

    public string Reason { get; init; } = "";

    public string Suggestion { get; init; } = "";
}

/// <summary>A target's rules, read from Audit/Targets/*.yaml. The files' head says how each is written.</summary>
internal sealed class TargetRules
{
    private static readonly FrozenDictionary<SupportTarget, Lazy<TargetRules>> s_all =
        Enum.GetValues<SupportTarget>().Where(t => t != SupportTarget.Cuda).ToFrozenDictionary(t => t, t => new Lazy<TargetRules>(() => Load(t.ToString())));

    private TargetRules(YamlMappingNode root)
    {
        Name = Text(root, "name");
        FirstOpset = Number(root, "firstOpset", 1);
        LastOpset = Number(root, "lastOpset", int.MaxValue);
        Everything = Text(root, "everything") is { Length: > 0 } reason ? reason : null;
        EverythingSuggestion = Text(root, "suggestion");
        Unlisted = Text(root, "unlisted") != "no";
        UnlistedReason = Text(root, "unlistedReason");
        Domains = root.Children.TryGetValue("domains", out YamlNode? domains) ? [.. ((YamlSequenceNode)domains).Select(d => d.ToString() == "ai.onnx" ? "" : d.ToString())] : [];
        Dictionary<string, IReadOnlyList<OperatorRule>> rules = new(StringComparer.Ordinal);
        if (root.Children.TryGetValue("operators", out YamlNode? operators))
        {
            foreach ((YamlNode key, YamlNode value) in ((YamlMappingNode)operators).Children) rules[key.ToString()] = ParseRules(value);
        }
        Operators = rules.ToFrozenDictionary(StringComparer.Ordinal);
    }

    public string Name { get; }

    public int FirstOpset { get; }

    public int LastOpset { get; }

    /// <summary>The reason why this target runs nothing, if it does not.</summary>
    public string? Everything { get; }

    public string EverythingSuggestion { get; }

    /// <summary>True when operators without a rule are supported.</summary>
    public bool Unlisted { get; }

    public string UnlistedReason { get; }

    /// <summary>Domains whose known operators the target has at all.</summary>
    public IReadOnlyList<string> Domains { get; }

    public IReadOnlyDictionary<string, IReadOnlyList<OperatorRule>> Operators { get; }

    // A GPU engine leaves to the CPU what no kernel computes.
    public static TargetRules Of(SupportTarget target) => s_all[target == SupportTarget.Cuda ? SupportTarget.Cpu : target].Value;

    /// <summary>Rules of one operator by "Name" or "domain::Name"; null when the file lists none.</summary>
    public IReadOnlyList<OperatorRule>? Find(string domain, string opType) => Operators.GetValueOrDefault(domain.Length == 0 ? opType : $"{domain}::{opType}");

    private static TargetRules Load(string name)
    {
        string resource = $"TrtTools.Audit.Targets.{name}.yaml";
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource) ?? throw new InvalidOperationException($"{resource} is not in the assembly.");
        using StreamReader reader = new(stream);
        YamlStream yaml = new();
        yaml.Load(reader);
        return new TargetRules((YamlMappingNode)yaml.Documents[0].RootNode);
    }

    private static IReadOnlyList<OperatorRule> ParseRules(YamlNode node) => node switch
    {
        YamlSequenceNode several => [.. several.Select(n => ParseRule((YamlMappingNode)n))],
        YamlMappingNode one => [ParseRule(one)],
        // "no" alone, or a list of types in one word.
        YamlScalarNode { Value: "no" } => [new OperatorRule { Supported = false }],
        YamlScalarNode { Value: { } types } => [new OperatorRule { Types = ParseTypes(types.Split(' ', StringSplitOptions.RemoveEmptyEntries)) }],
        _ => [],
    };

    private static OperatorRule ParseRule(YamlMappingNode node)
    {
        (int first, int last) = node.Children.TryGetValue("opset", out YamlNode? opset) ? ParseRange(opset.ToString()) : (1, int.MaxValue);
        return new OperatorRule
        {
            First = first,
            Last = last,
            Supported = Text(node, "supported") != "false",
            Types = node.Children.TryGetValue("types", out YamlNode? types)
                ? ParseTypes(types is YamlSequenceNode list ? list.Select(t => t.ToString()) : types.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries)) : null,
            ConstantInputs = Numbers(node, "constantInputs"),
            UnusedOutputs = Numbers(node, "unusedOutputs"),
            Ranks = Numbers(node, "ranks"),
            Attributes = node.Children.TryGetValue("attributes", out YamlNode? attributes)
                ? ((YamlMappingNode)attributes).Children.ToDictionary(p => p.Key.ToString(), p => (IReadOnlyList<string>)[.. ((YamlSequenceNode)p.Value).Select(v => v.ToString())], StringComparer.Ordinal)
                : FrozenDictionary<string, IReadOnlyList<string>>.Empty,
            Limits = Text(node, "limits"),
            Reason = Text(node, "reason"),
            Suggestion = Text(node, "suggestion"),
        };
    }

    private static (int First, int Last) ParseRange(string text)
    {
        string[] ends = text.Split('-');
        int first = int.Parse(ends[0], CultureInfo.InvariantCulture);
        return (first, ends.Length == 1 ? first : ends[1].Length == 0 ? int.MaxValue : int.Parse(ends[1], CultureInfo.InvariantCulture));
    }

    private static FrozenSet<DataType> ParseTypes(IEnumerable<string> names) => names.Select(Enum.Parse<DataType>).ToFrozenSet();

    private static int[] Numbers(YamlMappingNode node, string key) =>
        node.Children.TryGetValue(key, out YamlNode? list) ? [.. ((YamlSequenceNode)list).Select(n => int.Parse(n.ToString(), CultureInfo.InvariantCulture))] : [];

    private static int Number(YamlMappingNode node, string key, int absent) =>
        node.Children.TryGetValue(key, out YamlNode? number) ? int.Parse(number.ToString(), CultureInfo.InvariantCulture) : absent;

    private static string Text(YamlMappingNode node, string key) => node.Children.TryGetValue(key, out YamlNode? text) ? text.ToString() : "";
}
