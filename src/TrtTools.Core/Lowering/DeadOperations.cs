using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Drops what no output needs.</summary>
internal static class DeadOperations
{
    public static void Remove(LoweringScope scope)
    {
        HashSet<Storage> needed = [.. scope.Outputs.Select(o => o.Storage)];
        HashSet<string> symbols = new(StringComparer.Ordinal);
        List<Operation> kept = [];
        foreach (Operation operation in Enumerable.Reverse(scope.Operations))
        {
            if (operation.IsHost)
            {
                operation.HostOutputs.RemoveAll(o => !needed.Contains(o.Lowered.Storage) && !o.Lowered.Shape.Any(d => d.SymbolName is { } symbol && symbols.Contains(symbol)));
                if (operation.HostOutputs.Count == 0) continue;
            }
            else
            {
                operation.Nests.RemoveAll(n => !needed.Contains(n.Target.Storage) && !operation.Nests.Any(other => other != n && Storages.ReadBy(other).Contains(n.Target.Storage)));
                if (!operation.Nests.Any(n => needed.Contains(n.Target.Storage))) continue;
            }
            needed.UnionWith(HostNodes.Reads(operation));
            foreach (LoweredValue value in HostNodes.Reads(operation).Concat(HostNodes.Writes(operation)).Select(s => scope.ByStorage[s])) symbols.UnionWith(value.Shape.SelectMany(d => d.Symbols));
            kept.Add(operation);
        }
        kept.Reverse();
        scope.Operations.Clear();
        scope.Operations.AddRange(kept);
    }
}
