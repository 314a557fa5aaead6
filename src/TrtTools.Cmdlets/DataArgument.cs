using System.Collections;
using System.Globalization;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

/// <summary>What a user gives as data, as a source of samples: paths, dictionaries, script blocks, and for a model with one input the array itself.</summary>
internal static class DataArgument
{
    /// <summary>Paths in <paramref name="given"/> have been resolved. A script block can only be read from a worker: it is run by way of <paramref name="report"/>.</summary>
    public static InputSource Source(object given, string parameter, IReadOnlyList<InputInfo> inputs, Preprocessing? preprocessing, bool splitSamples, PipelineReport? report)
    {
        object value = Arguments.Bare(given)!;
        switch (value)
        {
            case InputSource source: return source;
            case ScriptBlock block: return new ScriptBlockSource(block, inputs, report!);
            case IDictionary dictionary: return InputSources.FromDictionaries([Arguments.Unwrapped(dictionary)], inputs, report);
            case string or FileSystemInfo: return InputSources.FromPath(Existing(value), inputs, preprocessing, splitSamples, report);
        }
        if (value is IEnumerable list)
        {
            object?[] items = [.. list.Cast<object?>().Select(Arguments.Bare)];
            if (items.Length > 0 && items.All(i => i is IDictionary)) return InputSources.FromDictionaries([.. items.Cast<IDictionary>().Select(Arguments.Unwrapped)], inputs, report);
            if (items.Length > 0 && items.All(i => i is string or FileSystemInfo) && inputs.All(i => i.DataType != DataType.String))
            {
                return new SourceSequence([.. items.Select(i => InputSources.FromPath(Existing(i!), inputs, preprocessing, splitSamples, report))]);
            }
        }
        if (inputs.Count == 1) return InputSources.FromDictionaries([new Hashtable { [inputs[0].Name] = value }], inputs, report);
        throw new TrtToolsException(ErrorCode.InputInvalid, $"-{parameter}", $"a {value.GetType().Name} was given",
            $"The inputs are {string.Join(", ", inputs)}", "Give a dictionary with a value for each input, a file or a folder");
    }

    /// <summary>The full paths in <paramref name="given"/> are found on the pipeline's thread: the location belongs to the session.</summary>
    public static object? Resolve(PSCmdlet cmdlet, object? given)
    {
        object? value = Arguments.Bare(given);
        return value switch
        {
            string text => InputPaths.Full(cmdlet, text),
            FileSystemInfo file => file.FullName,
            object[] items when items.All(i => Arguments.Bare(i) is string or FileSystemInfo) => items.Select(i => (object)InputPaths.Full(cmdlet, Arguments.Bare(i) is FileSystemInfo f ? f.FullName : (string)Arguments.Bare(i)!)).ToArray(),
            _ => value,
        };
    }

    public static IReadOnlyList<InputInfo> Inputs(Engine engine) => InputInfo.Of(engine);

    /// <summary>The path of a YAML file, a dictionary with its keys, or what was read from either.</summary>
    public static Preprocessing? Preprocessing(PSCmdlet cmdlet, object? given) => Arguments.Bare(given) switch
    {
        null => null,
        Data.Preprocessing known => known,
        IDictionary map => Data.Preprocessing.From(Arguments.Unwrapped(map)),
        FileSystemInfo file => Data.Preprocessing.Read(InputPaths.Resolve(cmdlet, file.FullName, literal: true, ErrorCode.DataNotFound)[0]),
        string { Length: > 0 } path => Data.Preprocessing.Read(InputPaths.Resolve(cmdlet, path, literal: true, ErrorCode.DataNotFound)[0]),
        var other => throw new TrtToolsException(ErrorCode.OptionInvalid, "-Preprocessing", $"a {other!.GetType().Name} was given", "The path of a YAML file, or a hashtable with its keys", "The keys are in about_TrtTools_Quantization"),
    };

    private static string Existing(object value)
    {
        string full = value is FileSystemInfo file ? file.FullName : (string)value;
        return File.Exists(full) || Directory.Exists(full) ? full : throw InputPaths.Missing(full, ErrorCode.DataNotFound);
    }

    private sealed class SourceSequence(IReadOnlyList<InputSource> sources) : InputSource
    {
        public override long? Count => sources.All(s => s.Count is not null) ? sources.Sum(s => s.Count) : null;

        public override string Description => string.Join(", ", sources.Select(s => s.Description));

        public override IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken stop) => sources.SelectMany(s => s.Read(stop));
    }

    /// <summary>Calls the block with 0, 1, 2 … until it gives nothing. A block that gives several samples at its first call has given all.</summary>
    private sealed class ScriptBlockSource(ScriptBlock block, IReadOnlyList<InputInfo> inputs, PipelineReport report) : InputSource
    {
        public override long? Count => null;

        public override string Description => "script block";

        public override IEnumerable<IReadOnlyDictionary<string, Tensor>> Read(CancellationToken stop)
        {
            for (long index = 0; ; index++)
            {
                stop.ThrowIfCancellationRequested();
                long current = index;
                List<object> samples = report.Ask(_ => Call(current), stop);
                foreach (object sample in samples)
                {
                    if (sample is not IDictionary dictionary)
                    {
                        throw new TrtToolsException(ErrorCode.CalibrationDataInvalid, string.Create(CultureInfo.InvariantCulture, $"Script block, call {current}"), $"it gave a {sample.GetType().Name}",
                            $"It must give a dictionary with {string.Join(", ", inputs.Select(i => $"'{i.Name}'"))}, or nothing at the end", "Return @{ input = $array }");
                    }
                    yield return InputSources.FromDictionary(Arguments.Unwrapped(dictionary), inputs, report);
                }
                if (samples.Count == 0 || (index == 0 && samples.Count > 1)) yield break;
            }
        }

        private List<object> Call(long index)
        {
            try
            {
                return [.. block.InvokeWithContext(null, [new PSVariable("_", index)], index).Where(o => o is not null).Select(o => o.BaseObject)];
            }
            catch (RuntimeException e) when (e is not PipelineStoppedException)
            {
                throw new TrtToolsException(ErrorCode.CalibrationDataInvalid, string.Create(CultureInfo.InvariantCulture, $"Script block, call {index}"), $"it failed ({e.Message.TrimEnd('.')})", "", "Mend the script block", e);
            }
        }
    }
}
