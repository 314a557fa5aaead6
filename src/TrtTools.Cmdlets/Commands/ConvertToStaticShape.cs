using System.Collections;
using System.Globalization;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.ConvertTo, "StaticShape")]
[OutputType(typeof(OnnxGraph))]
public sealed class ConvertToStaticShapeCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(InputShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? Symbol { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        Dictionary<string, long>? symbols = Symbol is null ? null : SurgeryArguments.Texts(Symbol).ToDictionary(t => t.Key, t => long.TryParse(t.Value, NumberStyles.None, CultureInfo.InvariantCulture, out long extent) ? extent
            : throw new TrtToolsException(ErrorCode.OptionInvalid, $"-Symbol '{t.Key}'", $"'{t.Value}' is no extent", "A whole number of 0 or more", "Correct it"), StringComparer.Ordinal);
        IReadOnlyDictionary<string, long[]>? shapes = Arguments.Shapes(InputShape, nameof(InputShape));
        WriteObject(Run((report, stop) => StaticShapeConversion.Convert(graph, shapes, symbols, report, stop)));
    }
}
