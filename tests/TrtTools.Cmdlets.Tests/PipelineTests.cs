using System.Management.Automation;

namespace TrtTools.Cmdlets.Tests;

public sealed class PipelineTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    private string Copy(string name)
    {
        string path = _session.InFolder(name);
        File.Copy(Repository.Digits, path);
        return path;
    }

    [Fact]
    public void Wildcards_lists_and_relative_paths_are_read()
    {
        Copy("a.onnx");
        Copy("b.onnx");
        Copy("c[1].onnx");
        Assert.Equal(["a", "b", "c[1]"], _session.Run("Import-OnnxGraph *.onnx | ForEach-Object Name").WithoutErrors().Output.Select(o => o.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(["a", "b"], _session.Run("Import-OnnxGraph a.onnx, ./b.onnx | ForEach-Object Name").WithoutErrors().Output.Select(o => o.ToString()));
        Assert.Equal("c[1]", _session.Run("(Import-OnnxGraph -LiteralPath 'c[1].onnx').Name").WithoutErrors().Single.ToString());
        Assert.Equal("c[1]", _session.Run("(Import-OnnxGraph 'c[1].onnx').Name").WithoutErrors().Single.ToString());
        Assert.Equal(_session.InFolder("a.onnx"), _session.Run("(Import-OnnxGraph a.onnx).Path").WithoutErrors().Single.ToString());
    }

    [Fact]
    public void Strings_and_files_bind_from_the_pipeline()
    {
        Copy("a.onnx");
        Copy("b.onnx");
        Assert.Equal(2, _session.Run("'a.onnx', 'b.onnx' | Import-OnnxGraph").WithoutErrors().Output.Count);
        Assert.Equal("a", _session.Run("param($p) [IO.FileInfo] $p | ForEach-Object { [PSCustomObject] @{ PSPath = $_.FullName } } | Import-OnnxGraph | ForEach-Object Name", _session.InFolder("a.onnx")).WithoutErrors().Single.ToString());
    }

    [Fact]
    public void A_bad_file_does_not_stop_the_good_ones()
    {
        Copy("good.onnx");
        File.WriteAllText(_session.InFolder("bad.onnx"), "no model");
        Outcome outcome = _session.Run("Import-OnnxGraph missing.onnx, bad.onnx, good.onnx");
        Assert.Equal("good", outcome.Single.Properties["Name"].Value);
        Assert.Equal(["ModelNotFound,TrtTools.Cmdlets.ImportOnnxGraphCommand", "ModelMalformed,TrtTools.Cmdlets.ImportOnnxGraphCommand"], outcome.ErrorIds);
        Assert.Equal([ErrorCategory.ObjectNotFound, ErrorCategory.InvalidData], outcome.Errors.Select(e => e.CategoryInfo.Category));
    }

    [Theory]
    [InlineData("Import-OnnxGraph none*.onnx", "ModelNotFound,TrtTools.Cmdlets.ImportOnnxGraphCommand")]
    [InlineData("Import-OnnxGraph .", "ModelNotFound,TrtTools.Cmdlets.ImportOnnxGraphCommand")]
    [InlineData("Import-OnnxGraph nodrive:/x.onnx", "FileNotReadable,TrtTools.Cmdlets.ImportOnnxGraphCommand")]
    [InlineData("Import-OnnxGraph Env:PATH", "FileNotReadable,TrtTools.Cmdlets.ImportOnnxGraphCommand")]
    [InlineData("'text' | Measure-OnnxGraph", "InputInvalid,TrtTools.Cmdlets.MeasureOnnxGraphCommand")]
    [InlineData("5 | Get-EngineLayer", "InputInvalid,TrtTools.Cmdlets.GetEngineLayerCommand")]
    [InlineData("Get-EngineLayer -Path none.engine", "EngineNotFound,TrtTools.Cmdlets.GetEngineLayerCommand")]
    [InlineData("Get-EngineInfo none.engine", "EngineNotFound,TrtTools.Cmdlets.GetEngineInfoCommand")]
    [InlineData("Import-Engine none.engine", "EngineNotFound,TrtTools.Cmdlets.ImportEngineCommand")]
    [InlineData("Import-CalibrationCache none.cache", "DataNotFound,TrtTools.Cmdlets.ImportCalibrationCacheCommand")]
    public void Each_mistake_has_its_id(string script, string id) => Assert.Equal([id], _session.Run(script).ErrorIds);

    [Fact]
    public void A_message_says_where_what_and_what_next()
    {
        Copy("classifier.onnx");
        string message = _session.Run("Import-OnnxGraph clasifier.onnx").Errors[0].Exception.Message;
        Assert.Contains(_session.InFolder("clasifier.onnx"), message, StringComparison.Ordinal);
        Assert.Contains("Did you mean 'classifier.onnx'?", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("$copy | Measure-OnnxGraph")]
    [InlineData("Measure-OnnxGraph -Graph $copy")]
    [InlineData("$copy | Export-OnnxGraph -Path x.onnx")]
    [InlineData("$copy | Build-Engine -Device Cpu")]
    public void A_copy_from_another_process_is_not_live(string use)
    {
        Outcome outcome = _session.Run("param($m) $copy = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize((Import-OnnxGraph $m), 1)); " + use, Repository.Digits);
        Assert.StartsWith("ObjectNotLive,TrtTools.Cmdlets.", Assert.Single(outcome.ErrorIds), StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_graph_is_not_live() =>
        Assert.Equal(["ObjectNotLive,TrtTools.Cmdlets.OptimizeOnnxGraphCommand"], _session.Run("param($m) $g = Import-OnnxGraph $m; $g.Dispose(); $g | Optimize-OnnxGraph", Repository.Digits).ErrorIds);

    [Fact]
    public void Stopping_upstream_is_no_error()
    {
        // Select-Object is not in this host; a break does the same to the cmdlet: an exception of PowerShell's own passes through it.
        Outcome outcome = _session.Run("param($m) foreach ($x in 1) { Import-OnnxGraph $m, $m | ForEach-Object { $_.Name; break } }; 'after'", Repository.Digits).WithoutErrors();
        Assert.DoesNotContain(outcome.Errors, e => e.FullyQualifiedErrorId.StartsWith("InternalError", StringComparison.Ordinal));
    }

    [Fact]
    public void An_error_of_a_downstream_command_stays_that_commands() =>
        Assert.Equal(["own id"], _session.Run("param($m) Import-OnnxGraph $m | ForEach-Object { throw [System.Management.Automation.ErrorRecord]::new([Exception]::new('own'), 'own id', 'NotSpecified', $null) }", Repository.Digits).ErrorIds);

    [Fact]
    public void An_engine_binds_by_either_side_of_the_pipeline()
    {
        string setup = "param($m, $d) $e = Import-OnnxGraph $m | Build-Engine -Device Cpu; $x = [TrtTools.Data.TensorFile]::Read($d)[0]; ";
        foreach (string use in new[] { "$e | Invoke-Engine -InputData @{ image = $x }", "@{ image = $x } | Invoke-Engine $e", "$e | Invoke-Engine @{ image = $x }", "Invoke-Engine $e @{ image = $x }", "Invoke-Engine -Engine $e -InputData $x" })
        {
            Assert.Equal("450,10", _session.Run($"{setup}({use}).logits.Shape -join ','", Repository.Digits, Repository.HeldOutData).WithoutErrors().Single.ToString());
        }
    }

    [Fact]
    public void Engine_files_are_taken_by_path_and_from_the_pipeline()
    {
        _session.Run("param($m) Import-OnnxGraph $m | Build-Engine -Device Cpu -OutputPath a.engine", Repository.Digits).WithoutErrors();
        int count = _session.Run("Get-EngineLayer -Path *.engine").WithoutErrors().Output.Count;
        Assert.True(count > 3);
        Assert.Equal(count, _session.Run("[IO.FileInfo]::new(\"$PWD/a.engine\") | Get-EngineLayer").WithoutErrors().Output.Count);
        Assert.Equal(count, _session.Run("Get-EngineLayer -LiteralPath a.engine").WithoutErrors().Output.Count);
    }
}
