using System.Management.Automation;

namespace TrtTools.Cmdlets.Tests;

public sealed class CompletionTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public CompletionTests()
    {
        File.Copy(Repository.Digits, _session.InFolder("digits.onnx"));
        _session.Run("$global:g = Import-OnnxGraph digits.onnx").WithoutErrors();
    }

    public void Dispose() => _session.Dispose();

    private string[] Complete(string line)
    {
        using PowerShell shell = PowerShell.Create(_session.Runspace);
        return [.. CommandCompletion.CompleteInput(line, line.Length, null, shell).CompletionMatches.Select(m => m.CompletionText)];
    }

    [Theory]
    [InlineData("$g | Optimize-OnnxGraph -Pass fold-con", "fold-constants")]
    [InlineData("$g | Optimize-OnnxGraph -ExcludePass remove-dead-nodes, fold-con", "fold-constants")]
    [InlineData("Optimize-OnnxGraph -Graph $g -StopAfter constants", "fold-constants")]
    [InlineData("$g | Build-Engine -Device C", "Cpu")]
    [InlineData("$g | Test-OperatorSupport -Target TensorRT1", "TensorRT11")]
    [InlineData("$g | Build-Engine -InputShape ", "@{ image = 1,1,8,8 }")]
    [InlineData("Measure-OnnxGraph -Graph $g -InputShape ", "@{ image = 1,1,8,8 }")]
    [InlineData("Import-OnnxGraph digits.onnx | Build-Engine -InputShape ", "@{ image = 1,1,8,8 }")]
    [InlineData("TrtTools\\Import-OnnxGraph -Path ./digits.onnx | Optimize-OnnxGraph | Build-Engine -InputShape ", "@{ image = 1,1,8,8 }")]
    [InlineData("$g | Build-Engine -LayerPrecision classifier", "@{ '/classifier/Gemm' = 'Fp32' }")]
    [InlineData("Compare-EngineOutput -Reference Onnx", "OnnxRuntime")]
    public void Tab_offers(string line, string expected) => Assert.Contains(expected, Complete(line));

    [Fact]
    public void Fusion_patterns_are_offered()
    {
        string[] patterns = [.. _session.Run("[TrtTools.Passes.LayerFusion]::PatternNames").Output.Select(o => o.ToString())];
        Assert.NotEmpty(patterns);
        Assert.Equal(patterns.Order(StringComparer.OrdinalIgnoreCase), Complete("$g | Invoke-LayerFusion -Pattern ").Order(StringComparer.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("Import-OnnxGraph no-such.onnx | Build-Engine -InputShape ")]
    [InlineData("$nothing | Build-Engine -InputShape ")]
    public void Where_nothing_is_known_nothing_of_ours_is_offered(string line) => Assert.DoesNotContain(Complete(line), c => c.StartsWith("@{", StringComparison.Ordinal));
}
