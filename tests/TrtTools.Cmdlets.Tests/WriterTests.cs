namespace TrtTools.Cmdlets.Tests;

/// <summary>What every cmdlet that writes keeps to: -WhatIf, -Force, collisions, folders, script blocks.</summary>
public sealed class WriterTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public WriterTests()
    {
        File.Copy(Repository.Digits, _session.InFolder("a.onnx"));
        File.Copy(Repository.Digits, _session.InFolder("b.onnx"));
        Directory.CreateDirectory(_session.InFolder("out"));
    }

    public static TheoryData<string, string, string> Writers => new()
    {
        { "Export-OnnxGraph -Path", ".onnx", "ExportOnnxGraphCommand" },
        { "Build-Engine -Device Cpu -OutputPath", ".engine", "BuildEngineCommand" },
        { "Show-OnnxGraph -As Html -OutputPath", ".html", "ShowOnnxGraphCommand" },
    };

    public void Dispose() => _session.Dispose();

    private string[] Written => [.. Directory.EnumerateFileSystemEntries(_session.InFolder("out")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Writers))]
    public void A_folder_takes_names_from_the_objects(string writer, string extension, string _)
    {
        Run($"Import-OnnxGraph a.onnx, b.onnx | {writer} out").WithoutErrors();
        Assert.Equal([$"a{extension}", $"b{extension}"], Written);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public void A_script_block_gives_each_path(string writer, string extension, string _)
    {
        Run($"Import-OnnxGraph a.onnx, b.onnx | {writer} {{ \"out/$($_.Name)-x{extension}\" }}").WithoutErrors();
        Assert.Equal([$"a-x{extension}", $"b-x{extension}"], Written);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public void A_second_object_for_one_file_is_refused_even_with_force(string writer, string extension, string type)
    {
        Outcome outcome = Run($"Import-OnnxGraph a.onnx, b.onnx | {writer} out/one{extension} -Force");
        Assert.Equal([$"OutputPathCollision,TrtTools.Cmdlets.{type}"], outcome.ErrorIds);
        Assert.Equal([$"one{extension}"], Written);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public void An_existing_file_needs_force(string writer, string extension, string type)
    {
        File.WriteAllText(_session.InFolder("out/old" + extension), "old");
        foreach (string whatIf in new[] { "", " -WhatIf" })
        {
            Assert.Equal([$"OutputPathExists,TrtTools.Cmdlets.{type}"], Run($"Import-OnnxGraph a.onnx | {writer} out/old{extension}{whatIf}").ErrorIds);
        }
        Assert.Equal("old", File.ReadAllText(_session.InFolder("out/old" + extension)));
        Run($"Import-OnnxGraph a.onnx | {writer} out/old{extension} -Force").WithoutErrors();
        Assert.NotEqual("old", File.ReadAllText(_session.InFolder("out/old" + extension)));
        Assert.Equal([$"old{extension}"], Written);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public void WhatIf_writes_nothing(string writer, string extension, string _)
    {
        Assert.Empty(Run($"Import-OnnxGraph a.onnx | {writer} out/x{extension} -WhatIf").WithoutErrors().Output);
        Assert.Empty(Run($"$WhatIfPreference = $true; Import-OnnxGraph a.onnx | {writer} out/x{extension}").WithoutErrors().Output);
        Assert.Empty(Written);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public void A_missing_folder_and_a_folder_in_the_way_are_named(string writer, string extension, string type)
    {
        Assert.Equal([$"OutputPathInvalid,TrtTools.Cmdlets.{type}"], Run($"Import-OnnxGraph a.onnx | {writer} out/none/x{extension}").ErrorIds);
        Assert.Equal([$"OutputPathInvalid,TrtTools.Cmdlets.{type}"], Run($"Import-OnnxGraph a.onnx | {writer} {{ 'a'; 'b' }}").ErrorIds);
        Assert.Empty(Written);
    }

    [Fact]
    public void Caches_are_written_and_read_back()
    {
        string make = "$c = Import-OnnxGraph a.onnx | New-CalibrationCache -Data @{ image = [float[]] (, 0.5 * 64) }; ";
        Run(make + "$c | Export-CalibrationCache -Path out; $c | Export-CalibrationCache -Path { \"out/$($_.Model).json\" }; $c | Export-CalibrationCache out/x.cache -WhatIf").WithoutErrors();
        Assert.Equal(["a.cache", "a.json"], Written);
        Assert.Equal(Run(make + "$c.Tensors.Scale -join ' '").Single.ToString(), Run("(Import-CalibrationCache out/a.cache).Tensors.Scale -join ' '").WithoutErrors().Single.ToString());
        Assert.Equal(["OutputPathExists,TrtTools.Cmdlets.ExportCalibrationCacheCommand"], Run(make + "$c | Export-CalibrationCache -Path out").ErrorIds);
        Assert.Equal(["OutputPathCollision,TrtTools.Cmdlets.ExportCalibrationCacheCommand"], Run(make + "$c, $c | Export-CalibrationCache -Path out -Force").ErrorIds);
    }

    [Fact]
    public void A_graph_can_be_written_onto_its_source()
    {
        Run("Import-OnnxGraph a.onnx | Optimize-OnnxGraph | Export-OnnxGraph -Path a.onnx -Force").WithoutErrors();
        Assert.Equal("True", Run("Import-OnnxGraph a.onnx | Test-OnnxGraph -Quiet").WithoutErrors().Single.ToString());
    }

    [Fact]
    public void A_loaded_engine_can_be_replaced()
    {
        Outcome outcome = Run("param($d) $e = Import-OnnxGraph a.onnx | Build-Engine -Device Cpu -OutputPath out/e.engine; $loaded = Import-Engine out/e.engine;" +
            "$null = Import-OnnxGraph b.onnx | Build-Engine -Device Cpu -OutputPath out/e.engine -Force; ($loaded | Invoke-Engine @{ image = [TrtTools.Data.TensorFile]::Read($d)[0] }).logits.Data.Length", Repository.HeldOutData);
        Assert.Equal("4500", outcome.WithoutErrors().Single.ToString());
    }

    [Fact]
    public void A_written_engine_knows_its_path_and_is_passed_on()
    {
        Assert.Equal(_session.InFolder("out/a.engine"), Run("(Import-OnnxGraph a.onnx | Build-Engine -Device Cpu -OutputPath out).Path").WithoutErrors().Single.ToString());
        Assert.Equal(_session.InFolder("out/a.onnx"), Run("(Import-OnnxGraph a.onnx | Export-OnnxGraph -Path out -PassThru).FullName").WithoutErrors().Single.ToString());
    }

    private Outcome Run(string script, params object?[] arguments) => _session.Run(script, arguments);
}
