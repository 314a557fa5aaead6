namespace TrtTools.Lowering;

/// <summary>Which storages nests and steps touch.</summary>
internal static class Storages
{
    public static IEnumerable<Storage> ReadBy(LoopNest nest)
    {
        IEnumerable<LoadExpr> loads = Ex.Loads(nest.Body).Concat(Ex.Loads(nest.Result)).Concat((nest.Place ?? []).SelectMany(Ex.Loads));
        return loads.Select(l => l.Source.Storage).Distinct();
    }

    public static IEnumerable<Storage> ReadBy(LoweredStep step) => (step is RegionStep { Region: { } region } ? region.Nests.SelectMany(ReadBy) : ((HostGraphStep)step).Inputs.Select(i => i.Storage)).Distinct();

    public static IEnumerable<Storage> WrittenBy(LoweredStep step) => (step is RegionStep { Region: { } region } ? region.Nests.Select(n => n.Target.Storage) : ((HostGraphStep)step).Outputs.Select(o => o.Storage)).Distinct();

    public static IEnumerable<Storage> TouchedBy(LoweredStep step) => ReadBy(step).Concat(WrittenBy(step)).Distinct();
}
