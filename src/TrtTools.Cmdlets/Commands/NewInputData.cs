using System.Collections;
using System.Collections.Specialized;
using System.Globalization;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.New, "InputData", DefaultParameterSetName = RandomSet)]
[OutputType(typeof(OrderedDictionary))]
public sealed class NewInputDataCommand : TrtCmdlet
{
    private const string RandomSet = "Random", PathSet = "Path";

    // An int: see BuildEngineCommand.
    private int _distribution = (int)InputDistribution.Uniform;

    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public object InputObject { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    [Parameter(ParameterSetName = PathSet)]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int Count { get; set; } = 1;

    [Parameter(ParameterSetName = RandomSet)]
    public int Seed { get; set; } = 1;

    [Parameter(ParameterSetName = RandomSet)]
    [ValidateNotNull]
    public object? Range { get; set; }

    [Parameter(ParameterSetName = RandomSet)]
    public InputDistribution Distribution { get => (InputDistribution)_distribution; set => _distribution = (int)value; }

    [Parameter(ParameterSetName = RandomSet)]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(InputShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    private protected override void ProcessItem()
    {
        Subject = InputObject;
        IReadOnlyList<InputInfo> inputs = Arguments.Bare(InputObject) switch
        {
            OnnxGraph graph => InputInfo.Of(graph),
            Engine engine => DataArgument.Inputs(engine),
            var other => throw new TrtToolsException(ErrorCode.InputInvalid, "-InputObject", $"a {other?.GetType().Name ?? "null"} was given", "It takes a graph or an engine", "Import-OnnxGraph and Import-Engine read them from files"),
        };
        if (ParameterSetName == PathSet)
        {
            string path = InputPaths.Resolve(this, Path, literal: true, ErrorCode.DataNotFound, allowFolder: true)[0];
            Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
            int most = MyInvocation.BoundParameters.ContainsKey(nameof(Count)) ? Count : int.MaxValue;
            Write((report, stop) => InputSources.FromPath(path, inputs, images, splitSamples: true, report).Read(stop).Take(most), inputs);
            return;
        }
        InputDataOptions options = Ranged(new InputDataOptions { Count = Count, Seed = Seed, Distribution = Distribution, Shapes = Arguments.Shapes(InputShape, nameof(InputShape)) });
        Write((report, stop) => InputDataGenerator.Create(inputs, options), inputs);
    }

    private void Write(Func<Report, CancellationToken, IEnumerable<IReadOnlyDictionary<string, Tensor>>> read, IReadOnlyList<InputInfo> inputs) => Run((PipelineReport report, CancellationToken stop) =>
    {
        foreach (IReadOnlyDictionary<string, Tensor> sample in read(report, stop))
        {
            OrderedDictionary named = new(StringComparer.Ordinal);
            foreach (InputInfo input in inputs) named[input.Name] = sample[input.Name];
            report.Ask(cmdlet =>
            {
                cmdlet.WriteObject(named);
                return true;
            }, stop);
        }
        return true;
    });

    // -Range 0, 255 for all inputs, or @{ x = 0, 255 }; '*' stands for the others.
    private InputDataOptions Ranged(InputDataOptions options)
    {
        switch (Arguments.Bare(Range))
        {
            case null: return options;
            case IDictionary map:
                Dictionary<string, (double, double)> ranges = new(StringComparer.Ordinal);
                foreach (DictionaryEntry entry in map)
                {
                    string name = Arguments.Bare(entry.Key)?.ToString() ?? "";
                    if (name == "*") options = options with { Range = Pair(entry.Value, "*") };
                    else ranges[name] = Pair(entry.Value, name);
                }
                return options with { Ranges = ranges };
            default: return options with { Range = Pair(Range, "") };
        }
    }

    private static (double, double) Pair(object? value, string name)
    {
        object?[] items = Arguments.Bare(value) is IEnumerable many and not string ? [.. many.Cast<object?>().Select(Arguments.Bare)] : [value];
        double low = 0, high = 0;
        bool good = items.Length == 2 && LanguagePrimitives.TryConvertTo(items[0], CultureInfo.InvariantCulture, out low) && LanguagePrimitives.TryConvertTo(items[1], CultureInfo.InvariantCulture, out high);
        return good ? (low, high) : throw new TrtToolsException(ErrorCode.OptionInvalid, $"-Range{(name.Length > 0 ? $" '{name}'" : "")}", items.Length == 2 ? $"'{items[0]}' and '{items[1]}' were given" : items.Length == 1 ? $"'{items[0]}' was given" : $"{items.Length} values were given", "It takes two numbers: the least and the greatest", "Write it as 0, 255 or @{ x = 0, 255 }");
    }
}
