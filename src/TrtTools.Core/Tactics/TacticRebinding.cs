using TrtTools.Kernels;
using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>A tactic over other storages.</summary>
internal static class TacticRebinding
{
    public static TacticLaunch Rebind(this TacticLaunch launch, Func<Storage, Storage> replace)
    {
        PointerArgument Move(PointerArgument pointer) => pointer with { Storage = replace(pointer.Storage) };
        return launch switch
        {
            KernelTacticLaunch kernel => new KernelTacticLaunch(kernel.Launch with
            {
                Arguments = [.. kernel.Launch.Arguments.Select(a => a switch
                {
                    PointerArgument pointer => Move(pointer),
                    TensorMapArgument map => map with { Storage = replace(map.Storage) },
                    _ => a,
                })],
            }),
            LibraryTacticLaunch library => library with { Operands = [.. library.Operands.Select(Move)] },
            CopyTacticLaunch copy => copy with { From = Move(copy.From), To = Move(copy.To) },
            FillTacticLaunch fill => fill with { To = Move(fill.To) },
            _ => throw new InvalidOperationException($"{launch.GetType().Name} has no storages."),
        };
    }
}
