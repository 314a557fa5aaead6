using System.Diagnostics;
using System.Management.Automation;

namespace TrtTools.Cmdlets.Tests;

/// <summary>Progress, script blocks that a worker asks for, and stopping.</summary>
public sealed class LongWorkTests : IDisposable
{
    // A sample for each call, up to a number of them.
    private const string Samples = "param($m, $count) $x = [float[]]::new(64); $block = { param($i) if ($i -lt $count) { $x[$i % 64] = 1 / (1 + $i); @{ image = $x } } }; $g = Import-OnnxGraph $m; ";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Fact]
    public void A_script_block_is_called_a_thousand_times()
    {
        Stopwatch clock = Stopwatch.StartNew();
        Outcome outcome = _session.Run(Samples + "$g | New-CalibrationCache -Data $block", Repository.Digits, 1000).WithoutErrors();
        Assert.Equal(1000, outcome.Single.Properties["SampleCount"].Value);
        TestContext.Current.SendDiagnosticMessage($"1,000 script block calls and samples: {clock.ElapsedMilliseconds} ms");
        // No measurement: run on the worker instead of the pipeline's thread, each call waits 255 ms.
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, Patience * 3);
    }

    [Fact]
    public void A_script_block_sees_its_index_and_its_variables()
    {
        Outcome outcome = _session.Run("param($m) $seen = [Collections.Generic.List[object]]::new(); $g = Import-OnnxGraph $m; $null = $g | New-CalibrationCache -Data { param($i) $seen.Add(\"$i $_\"); if ($i -lt 2) { @{ image = [float[]]::new(64) } } }; $seen", Repository.Digits).WithoutErrors();
        Assert.Equal(["0 0", "1 1", "2 2"], outcome.Output.Select(o => o.ToString()));
    }

    [Fact]
    public void A_script_block_that_gives_all_samples_at_once_is_called_once() =>
        Assert.Equal(3, _session.Run("param($m) Import-OnnxGraph $m | New-CalibrationCache -Data { foreach ($v in 0.1, 0.2, 0.3) { @{ image = [float[]] (, $v * 64) } } }", Repository.Digits).WithoutErrors().Single.Properties["SampleCount"].Value);

    [Theory]
    [InlineData("{ throw 'broken' }", "CalibrationDataInvalid")]
    [InlineData("{ 5 }", "CalibrationDataInvalid")]
    [InlineData("{ }", "CalibrationDataInvalid")]
    [InlineData("{ @{ picture = [float[]]::new(64) } }", "InputNotFound")]
    [InlineData("{ @{ image = [float[]] (, [float]::NaN * 64) } }", "CalibrationDataInvalid")]
    [InlineData("'none.npz'", "DataNotFound")]
    [InlineData("5, 6", "InputInvalid")]
    public void Bad_data_is_one_error(string data, string code)
    {
        Outcome outcome = _session.Run($"param($m) Import-OnnxGraph $m | New-CalibrationCache -Data {data}", Repository.Digits);
        Assert.Equal([code + ",TrtTools.Cmdlets.NewCalibrationCacheCommand"], outcome.ErrorIds);
    }

    [Fact]
    public void Progress_only_grows_and_ends()
    {
        Outcome outcome = _session.Run("param($m, $d) Import-OnnxGraph $m | New-CalibrationCache -Data $d", Repository.Digits, Repository.CalibrationData).WithoutErrors();
        ProgressRecord[] records = [.. outcome.Progress.Where(p => p.ActivityId > 0)];
        if (records.Length == 0) return;   // done before the first tenth of a second was over
        Assert.Single(records.Select(r => r.ActivityId).Distinct());
        Assert.Equal(ProgressRecordType.Completed, records[^1].RecordType);
        foreach (IGrouping<string, ProgressRecord> activity in records.Where(r => r.RecordType == ProgressRecordType.Processing).GroupBy(r => r.Activity))
        {
            Assert.Equal(activity.Select(r => r.PercentComplete).Order(), activity.Select(r => r.PercentComplete));
        }
    }

    [Theory]
    [InlineData("$g | New-CalibrationCache -Data { @{ image = $x } }")]
    [InlineData("$g | Build-Engine -Device Cpu -Int8 -CalibrationData { @{ image = $x } } -OutputPath stopped.engine")]
    [InlineData("$g | Build-Engine -Device Cpu | Measure-Engine -Duration 1000")]
    public async Task Stopping_comes_back_and_leaves_no_file(string script)
    {
        using PowerShell shell = _session.Create(Samples + script, Repository.Digits, 0);
        IAsyncResult running = shell.BeginInvoke();
        Assert.False(running.AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(3)), string.Join('\n', shell.Streams.Error.ReadAll()));
        Stopwatch clock = Stopwatch.StartNew();
        await Task.Run(shell.Stop, TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        TestContext.Current.SendDiagnosticMessage($"{script}: stopped in {clock.ElapsedMilliseconds} ms");
        Assert.Equal(PSInvocationState.Stopped, shell.InvocationStateInfo.State);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_session.Folder));
        Assert.Equal("digits", _session.Run("param($m) (Import-OnnxGraph $m).Name", Repository.Digits).WithoutErrors().Single.ToString());
    }

    [Fact]
    public void A_warning_that_stops_the_script_ends_the_worker_too()
    {
        Outcome outcome = _session.Run("param($m) Import-OnnxGraph $m | Build-Engine -Device Cpu -Int8 -WarningAction Stop -OutputPath x.engine", Repository.Digits);
        Assert.NotNull(outcome.Terminating);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_session.Folder));
    }

    [Fact]
    public void Verbose_has_a_line_for_each_stage() =>
        Assert.NotEmpty(_session.Run("param($m) Import-OnnxGraph $m | Optimize-OnnxGraph -Verbose", Repository.Digits).WithoutErrors().Verbose);

    [Fact]
    public void A_broken_environment_ends_the_pipeline()
    {
        Outcome outcome = _session.Run("param($m) if (Get-EngineDevice | Where-Object Kind -eq Cuda) { 'cuda' } else { Import-OnnxGraph $m, $m | Build-Engine -Device Cuda }", Repository.Digits);
        Assert.SkipWhen(outcome.Output.Count == 1 && outcome.Single.ToString() == "cuda", "This machine has a CUDA device.");
        Assert.Equal("CudaMissing,TrtTools.Cmdlets.BuildEngineCommand", outcome.Terminating?.FullyQualifiedErrorId ?? Assert.Single(outcome.ErrorIds));
        Assert.Empty(outcome.Output);
    }

    [Fact]
    public void Graphs_can_be_used_from_several_runspaces_at_once()
    {
        Outcome outcome = _session.Run("param($m, $module) $g = Import-OnnxGraph $m; 1..4 | ForEach-Object -Parallel { Import-Module $using:module; ($using:g | Optimize-OnnxGraph | Invoke-LayerFusion).Nodes.Count }", Repository.Digits, Repository.Module).WithoutErrors();
        Assert.Equal(4, outcome.Output.Count);
        Assert.Single(outcome.Output.Select(o => o.ToString()).Distinct());
    }
}
