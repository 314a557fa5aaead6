using System.Collections;
using System.Management.Automation;
using System.Reflection;

namespace TrtTools.Cmdlets.Tests;

/// <summary>What scripts lean on: the fixed property names, and records that become JSON of depth 4 without loss.</summary>
public sealed class RecordTests : IDisposable
{
    private const int Depth = 4;

    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    public static TheoryData<string, string> Records => new()
    {
        { "$g.ToSummary()", "Name Path IrVersion Opset Inputs Outputs" },
        { "$g | Measure-OnnxGraph", "Model Path NodeCount OperatorCount Parameters WeightBytes Flops PeakActivationBytes Opset" },
        { "$g | Test-OnnxGraph", "Model Path Code Severity NodeName Message Fix" },
        { "$g | Test-OperatorSupport -Target TensorRT11", "Model Path Operator Domain Opset Count Supported Reason Suggestion NodeName" },
        { "$g | Invoke-LayerFusion -Report", "Model Path Pattern NodeName Fused Reason" },
        { "$e.ToSummary()", "Name Id Path Model Device ComputeCapability Precision Inputs Outputs Profiles SizeBytes BuildSeconds BuiltAt Warnings Provenance" },
        { "Get-EngineInfo e.engine", "Name Id Path Model Device ComputeCapability Precision Inputs Outputs Profiles SizeBytes BuildSeconds BuiltAt Warnings Provenance" },
        { "$e | Get-EngineLayer", "Model Path Device Precision Name Kind Tactic InputShape OutputShape WeightBytes MedianMs Percent SourceNode" },
        { "$e | Measure-Engine -Duration 0 -Iteration 10 -WarmUp 0 -Profile", "Model Path Device Precision ThroughputPerSecond Latency Enqueue HostToDevice GpuCompute DeviceToHost Iterations Layers Warnings LatencyP99Ms" },
        { "$e | Compare-EngineOutput", "Model Path Device Precision Output MaxAbsoluteError MeanAbsoluteError MaxRelativeError Cosine Psnr Sqnr TopKAgreement HasNaN Passed" },
        { "$g | New-CalibrationCache -Data @{ image = [float[]] (, 0.5 * 64) }", "Model Path Algorithm SampleCount Tensors DataHash GraphHash" },
        { "Get-EngineDevice", "Name Kind ComputeCapability MemoryBytes DriverVersion Libraries" },
    };

    [Theory]
    [MemberData(nameof(Records))]
    public void Records_have_their_properties_and_become_JSON(string script, string properties)
    {
        Outcome outcome = _session.Run("param($m) $g = Import-OnnxGraph $m; $e = $g | Build-Engine -Device Cpu -OutputPath e.engine -WarningAction SilentlyContinue; " + script, Repository.Digits).WithoutErrors();
        foreach (PSObject record in outcome.Output)
        {
            foreach (string name in properties.Split(' ')) Assert.True(record.Properties[name] is not null, $"{record.BaseObject.GetType().Name} has no {name}");
            Walk(record.BaseObject, Depth, record.BaseObject.GetType().Name);
        }
    }

    [Theory]
    [InlineData("$g", "Name Path IrVersion Opset Producer Nodes Inputs Outputs Initializers Functions Metadata History FusionReport")]
    [InlineData("$g.Nodes[0]", "Name OpType Domain Inputs Outputs Attributes Subgraphs")]
    [InlineData("$e", "Name Id Device ComputeCapability Precision Inputs Outputs Profiles SizeBytes BuildSeconds BuiltAt Warnings Provenance Layers")]
    [InlineData("$c", "Model Path Algorithm SampleCount Tensors DataHash GraphHash")]
    [InlineData("$c.Tensors[0]", "Name Min Max AbsoluteMax Scale ClippedFraction Sqnr")]
    [InlineData("$r.logits", "Name Shape DataType Data")]
    public void Live_objects_have_their_properties(string expression, string properties)
    {
        PSObject item = _session.Run("param($m, $d) $g = Import-OnnxGraph $m; $e = $g | Build-Engine -Device Cpu; $x = [TrtTools.Data.TensorFile]::Read($d)[0]; $r = $e | Invoke-Engine @{ image = $x }; $c = $g | New-CalibrationCache -Data @{ image = $x }; " + expression,
            Repository.Digits, Repository.HeldOutData).WithoutErrors().Single;
        foreach (string name in properties.Split(' ')) Assert.True(item.Properties[name] is not null, name);
    }

    [Fact]
    public void No_public_type_is_enumerable()
    {
        _session.Run("param($m) Import-OnnxGraph $m", Repository.Digits).WithoutErrors();
        IEnumerable<Type> types = System.Runtime.Loader.AssemblyLoadContext.All.Single(c => c.Name == "TrtTools").Assemblies.Where(a => a.GetName().Name!.StartsWith("TrtTools.", StringComparison.Ordinal)).SelectMany(a => a.GetExportedTypes());
        Assert.Empty(types.Where(t => typeof(IEnumerable).IsAssignableFrom(t) && !typeof(IDictionary).IsAssignableFrom(t)).Select(t => t.FullName));
    }

    // ConvertTo-Json's rule: what lies deeper than the depth is turned into text, with a warning.
    private static void Walk(object? value, int depth, string path)
    {
        if (value is null or string or Enum or DateTime or DateTimeOffset or TimeSpan or decimal || value.GetType().IsPrimitive) return;
        Assert.True(depth >= 0, $"{path} lies too deep");
        if (value is IEnumerable items)
        {
            foreach (object? item in items) Walk(item, depth - 1, path + "[]");
            return;
        }
        foreach (PropertyInfo property in value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetIndexParameters().Length == 0))
        {
            Walk(property.GetValue(value), depth - 1, $"{path}.{property.Name}");
        }
    }
}
