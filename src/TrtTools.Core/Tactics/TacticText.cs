using System.Globalization;
using System.Text;
using TrtTools.Kernels;
using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>What a tactic launches, as text: two tactics of one region with one text do the same.</summary>
internal static class TacticText
{
    public static string Of(Tactic tactic)
    {
        StringBuilder text = new(tactic.Name);
        Dictionary<Storage, int> storages = [];
        foreach (TacticLaunch launch in tactic.Launches)
        {
            text.Append('\n').Append(launch switch
            {
                KernelTacticLaunch { Launch: var k } => $"{k.Source.Function} {k.Source.Text} {List(k.Grid)} {List(k.Block)} {List(k.Cluster)} {k.SharedBytes.ToString(CultureInfo.InvariantCulture)} {k.Programmatic} {string.Join(' ', k.Arguments.Select(Argument))}",
                LibraryTacticLaunch l => $"{l.Library} {l.Operation} {string.Join(' ', l.Operands.Select(Argument))} {List(l.Extents)} {string.Join(' ', l.Settings.OrderBy(s => s.Key, StringComparer.Ordinal))} {Convert.ToHexString(l.Algorithm)} {l.Version} {l.WorkspaceBytes.ToString(CultureInfo.InvariantCulture)}",
                CopyTacticLaunch c => $"copy {Argument(c.From)} {Argument(c.To)} {c.Bytes}",
                FillTacticLaunch f => $"fill {Argument(f.To)} {f.Bytes} {f.Value.ToString(CultureInfo.InvariantCulture)}",
                _ => throw new InvalidOperationException($"{launch.GetType().Name} has no text."),
            });
        }
        return text.ToString();

        string Argument(KernelArgument argument) => argument switch
        {
            PointerArgument p => $"{Place(p.Storage)}+{p.Offset}/{p.Access}",
            ExtentArgument e => $"{e.Value}:{e.Wide}",
            FloatArgument f => f.Value.ToString("R", CultureInfo.InvariantCulture),
            TensorMapArgument m => $"{Place(m.Storage)}+{m.Offset}/{m.Access} {m.Type} {List(m.Extents)} {List(m.Strides)} {List(m.Box)} {m.SwizzleBytes.ToString(CultureInfo.InvariantCulture)} {List(m.ElementStrides)} {(m.Im2Col is { } w ? $"{List(w.LowerCorner)} {List(w.UpperCorner)} {w.ChannelsPerPixel} {w.PixelsPerColumn}" : "")}",
            _ => throw new InvalidOperationException($"{argument.GetType().Name} has no text."),
        };

        string Place(Storage storage)
        {
            if (!storages.TryGetValue(storage, out int number)) storages.Add(storage, number = storages.Count);
            return string.Create(CultureInfo.InvariantCulture, $"{number}:{storage.Name}:{storage.Kind}:{storage.Type}:{storage.ElementCount}");
        }
    }

    private static string List<T>(IEnumerable<T> items) => $"({string.Join(',', items)})";
}
