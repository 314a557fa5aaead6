using System.Management.Automation;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

// PowerShellStandard has no VerbsLifecycle.Build; PowerShell 7 knows the verb.
[Cmdlet("Build", "Engine", SupportsShouldProcess = true)]
[OutputType(typeof(Engine))]
public sealed class BuildEngineCommand : BuildingCmdlet
{
    private OutputPaths? _paths;

    [Parameter(Position = 0)]
    [ValidateNotNull]
    public object? OutputPath { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        string? path = OutputPath is null ? null : (_paths ??= new OutputPaths(this)).Resolve(OutputPath, graph, graph.Name, EngineFile.Extension, Force);
        object? data = DataArgument.Resolve(this, CalibrationData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        BuildOptions options = Options();
        if (IsWhatIf) options = options with { CalibrationData = data is null or ScriptBlock ? null : DataArgument.Source(data, nameof(CalibrationData), InputInfo.Of(graph), images, splitSamples: true, null) };
        string action = IsWhatIf ? $"Build engine ({string.Join("; ", EngineBuilder.Check(graph, options))})" : "Build engine";
        if (!ShouldProcess(path ?? graph.Name, action)) return;
        Engine engine = Run((PipelineReport report, CancellationToken stop) =>
        {
            if (data is not null) options = options with { CalibrationData = DataArgument.Source(data, nameof(CalibrationData), InputInfo.Of(graph), images, splitSamples: true, report) };
            Engine built = EngineBuilder.Build(graph, options, report, stop);
            if (path is null) return built;
            try
            {
                stop.ThrowIfCancellationRequested();
                EngineFile.Save(built, path, Force);
                return built;
            }
            catch
            {
                built.Dispose();
                throw;
            }
        });
        WriteObject(engine);
    }

    private bool IsWhatIf => MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? given) ? ((SwitchParameter)given).IsPresent : SessionState.PSVariable.GetValue("WhatIfPreference") is true or SwitchParameter { IsPresent: true };
}
