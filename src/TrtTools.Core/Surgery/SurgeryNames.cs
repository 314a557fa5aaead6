using TrtTools.Ops;

namespace TrtTools.Surgery;

/// <summary>Names to offer while a command is typed.</summary>
public static class SurgeryNames
{
    /// <summary>Operators that a new node can be, those of other domains as "domain::name".</summary>
    public static IReadOnlyList<string> Operators { get; } = [.. OperatorCatalog.All.Where(d => !d.Is(OperatorTraits.Removed)).Select(d => d.Domain.Length == 0 ? d.OpType : $"{d.Domain}::{d.OpType}").Order(StringComparer.Ordinal)];
}
